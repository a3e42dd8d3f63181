/* The command line and the environment variables of chanlab, read into one struct. */
#ifndef CHANLAB_OPTIONS_H
#define CHANLAB_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum action {
    ACTION_RUN,     /* a script, module, command, stdin, the REPL, or a subcommand */
    ACTION_HELP,    /* --help, -h, -? */
    ACTION_VERSION, /* --version, -V */
};

/* Everything that decides how the interpreter is set up. Strings are owned by the struct unless a
   comment says otherwise; options_clear frees them. */
struct options {
    enum action action;
    const char *program; /* argv[0]; borrowed */
    int argc;            /* the command line as it was typed, for sys.orig_argv; borrowed */
    char **argv;
    int python_argc; /* what is left for CPython, ended by NULL; [0] is the program */
    char **python_argv;
    const char *script;      /* the script file, borrowed from argv; NULL when none is run */
    const char *native;      /* LIST from --native or CHANLAB_NATIVE; borrowed; NULL: neither */
    char *trace;             /* absolute path of the trace file; NULL: no trace */
    bool has_seed;           /* --seed or CHANLAB_SEED */
    uint64_t seed;           /* only with has_seed */
    const char *virtual_env; /* $VIRTUAL_ENV, borrowed; NULL when unset or empty */
    const char *python_home; /* $PYTHONHOME if CPython will look at it; borrowed; else NULL */
    bool fixed_hash_seed;    /* CPython will take PYTHONHASHSEED, so --seed leaves it alone */
    bool ignore_environment; /* -E or -I */
    bool no_site;            /* -S */
    bool own_tool;           /* runs a part of chanlab: nothing in the current directory may
                                stand in for a module of it */
};

/* Reads argv and the environment. Returns 0, or -1 after one complaint. Either way the caller
   ends with options_clear. argv must outlive the struct. */
int options_read(struct options *options, int argc, char **argv);

/* Makes the hooks and the seed known to Python and to child processes (CHANLAB_NATIVE,
   CHANLAB_SEED). Returns 0, or -1 after one complaint. */
int options_export(const struct options *options);

void options_clear(struct options *options);

/* The text of --help. */
extern const char options_help[];

#endif
