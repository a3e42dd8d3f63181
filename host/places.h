/* Where things are: this executable, chanlab's Python part, and the Python environment. */
#ifndef CHANLAB_PLACES_H
#define CHANLAB_PLACES_H

struct options;

/* All strings are owned by the struct; places_clear frees them. */
struct places {
    char *executable;  /* the host itself, absolute, symbolic links resolved */
    char *pylib;       /* the directory with stackless.py */
    char *environment; /* what to call the environment in messages: the venv's directory, or the
                          prefix of the CPython this binary was built for */
    char *interpreter; /* the environment's own python: getpath finds pyvenv.cfg beside it, and
                          messages name it for pip */
};

/* Finds them and makes sure that they belong to the CPython this binary was built for. Returns 0,
   or -1 after one complaint. Either way the caller ends with places_clear. */
int places_find(struct places *places, const struct options *options);

/* 0 if path, symbolic links resolved, is the prefix of the CPython this binary was built for. */
int places_compare_prefix(const char *path);

void places_clear(struct places *places);

#endif
