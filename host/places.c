/* Finds the executable, pylib and the virtual environment before Python starts.

   A virtual environment of another installation is refused here. CPython would start all the same
   and silently take that installation's standard library if only X.Y agree, or find nothing of
   what is installed in the environment if they do not. */
#include "places.h"

#include "config.h"
#include "options.h"
#include "report.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* directory/name exists? */
static bool has(const char *directory, const char *name)
{
    char *path = text("%s/%s", directory, name);
    bool found = path != NULL && access(path, F_OK) == 0;
    free(path);
    return found;
}

/* path without its last part, in memory that the caller frees; NULL without memory. */
static char *parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return text(".");
    }
    return slash == path ? text("/") : text("%.*s", (int)(slash - path), path);
}

/* Both paths exist and are one file or directory? */
static bool same(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL);
    char *real_b = realpath(b, NULL);
    bool equal = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return equal;
}

/* The first program in PATH, absolute; NULL if there is none. The caller frees it. */
static char *search_path(const char *program)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        char *candidate = text("%.*s/%s", (int)length, path, program);
        char *found = candidate != NULL && access(candidate, X_OK) == 0 ? realpath(candidate, NULL) : NULL;
        free(candidate);
        if (found != NULL) {
            return found;
        }
        path += length + (path[length] == ':');
    }
    return NULL;
}

/* This executable: from the kernel where it tells, else from argv[0] as the shell found it. */
static char *find_executable(const char *program)
{
    char *found = realpath("/proc/self/exe", NULL);
    if (found == NULL) {
        found = strchr(program, '/') != NULL ? realpath(program, NULL) : search_path(program);
    }
    if (found == NULL) {
        complain("cannot find its own executable from '%s': start it by its full path", program);
    }
    return found;
}

/* The first of the directories below that holds stackless.py; NULL after a complaint. */
static char *find_pylib(const char *executable)
{
    static const char *const beside[] = {"../lib/chanlab", "../pylib", "../../pylib"};
    char *directory = parent(executable);
    char *found = NULL;
    for (size_t i = 0; directory != NULL && i < sizeof beside / sizeof *beside; i++) {
        char *candidate = text("%s/%s", directory, beside[i]);
        if (candidate != NULL && has(candidate, "stackless.py")) {
            found = realpath(candidate, NULL);
        }
        free(candidate);
        if (found != NULL) {
            break;
        }
    }
    if (found == NULL && has(CHANLAB_PYLIB, "stackless.py")) {
        found = realpath(CHANLAB_PYLIB, NULL);
    }
    if (found == NULL) {
        complain("its Python part (stackless.py) is neither near %s nor in %s: install it again", executable,
                 CHANLAB_PYLIB);
    }
    free(directory);
    return found;
}

/* The few keys of pyvenv.cfg that tell what an environment was made from. */
struct venv_config {
    char home[PATH_MAX];       /* the directory of the base python */
    char executable[PATH_MAX]; /* the base python itself; empty if not recorded */
    char version[64];          /* X.Y.Z; empty if not recorded */
};

/* Copies the value of "key = value" to out if the line is about key. */
static void take_key(const char *line, const char *key, char *out, size_t size)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0) {
        return;
    }
    line += length;
    line += strspn(line, " \t");
    if (*line == '=') {
        line += 1 + strspn(line + 1, " \t");
        snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
    }
}

/* Returns 0, or -1 without a complaint if there is no readable pyvenv.cfg. */
static int read_venv_config(const char *venv, struct venv_config *config)
{
    *config = (struct venv_config){0};
    char *path = text("%s/pyvenv.cfg", venv);
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    free(path);
    if (file == NULL) {
        return -1;
    }
    char line[PATH_MAX + 64];
    while (fgets(line, sizeof line, file) != NULL) {
        take_key(line, "home", config->home, sizeof config->home);
        take_key(line, "executable", config->executable, sizeof config->executable);
        take_key(line, "base-executable", config->executable, sizeof config->executable);
        take_key(line, "version", config->version, sizeof config->version);
        take_key(line, "version_info", config->version, sizeof config->version);
    }
    fclose(file);
    return 0;
}

/* Does version start with the X.Y this binary was built for? An unrecorded one may be right. */
static bool right_version(const char *version)
{
    size_t length = strlen(CHANLAB_PYTHON_XY);
    return *version == '\0' ||
           (strncmp(version, CHANLAB_PYTHON_XY, length) == 0 && (version[length] == '.' || version[length] == '\0'));
}

/* Was the environment made from the very installation this binary was built for? Three ways to
   tell, because the environment may have been made through a symbolic link to the base python. */
static bool right_base(const struct venv_config *config)
{
    if (same(config->executable, CHANLAB_PYTHON) || same(config->home, CHANLAB_PYTHON_BIN)) {
        return true;
    }
    char *python = text("%s/python%s", config->home, CHANLAB_PYTHON_XY);
    bool equal = python != NULL && same(python, CHANLAB_PYTHON);
    free(python);
    return equal;
}

/* Complains about an environment that is not usable. origin says where its path comes from and
   cure what to do about it. Returns 0 or -1. */
static int check_venv(const char *venv, const char *origin, const char *cure)
{
    struct venv_config config;
    if (read_venv_config(venv, &config) < 0) {
        complain("%s %s is no virtual environment (it has no pyvenv.cfg): %s", origin, venv, cure);
        return -1;
    }
    if (!right_version(config.version) || !right_base(&config)) {
        complain("%s %s belongs to CPython %s in %s, but this chanlab was built for CPython %s "
                 "(%s): %s",
                 origin, venv, config.version, config.home, CHANLAB_PYTHON_VERSION, CHANLAB_PYTHON, cure);
        return -1;
    }
    if (!has(venv, "bin/python")) {
        complain("%s %s is broken (it has no bin/python): %s", origin, venv, cure);
        return -1;
    }
    return 0;
}

static int use_venv(struct places *places, const char *venv)
{
    places->environment = text("%s", venv);
    places->interpreter = text("%s/bin/python", venv);
    return places->environment == NULL || places->interpreter == NULL ? -1 : 0;
}

/* $VIRTUAL_ENV, else the project's own environment if it still exists, else no environment. */
static int find_environment(struct places *places, const struct options *options)
{
    const char *venv = options->virtual_env;
    if (venv != NULL) {
        if (check_venv(venv, "VIRTUAL_ENV", "deactivate it, or make one with " CHANLAB_PYTHON " -m venv") < 0) {
            return -1;
        }
        return use_venv(places, venv);
    }
    if (*CHANLAB_VENV != '\0' && has(CHANLAB_VENV, "pyvenv.cfg")) {
        if (check_venv(CHANLAB_VENV, "the project's environment", "run ./bootstrap build") < 0) {
            return -1;
        }
        return use_venv(places, CHANLAB_VENV);
    }
    places->environment = text("%s", CHANLAB_BASE_PREFIX);
    places->interpreter = text("%s", CHANLAB_PYTHON);
    return places->environment == NULL || places->interpreter == NULL ? -1 : 0;
}

/* The standard library this binary was built with is where it was, and PYTHONHOME does not lead
   CPython to another one. Returns 0, or -1 after a complaint. */
static int check_installation(const struct options *options)
{
    if (options->python_home != NULL) {
        size_t length = strcspn(options->python_home, ":");
        char *home = text("%.*s", (int)length, options->python_home);
        bool right = home != NULL && places_compare_prefix(home) == 0;
        free(home);
        if (!right) {
            complain("PYTHONHOME=%s is not the CPython %s this chanlab was built for (%s): "
                     "unset it or use -E",
                     options->python_home, CHANLAB_PYTHON_VERSION, CHANLAB_BASE_PREFIX);
            return -1;
        }
    }
    if (!has(CHANLAB_STDLIB, "os.py")) {
        complain("the CPython %s it was built for is gone (no %s/os.py): build chanlab again "
                 "(./bootstrap build)",
                 CHANLAB_PYTHON_VERSION, CHANLAB_STDLIB);
        return -1;
    }
    return 0;
}

int places_compare_prefix(const char *path) { return same(path, CHANLAB_BASE_PREFIX) ? 0 : -1; }

int places_find(struct places *places, const struct options *options)
{
    *places = (struct places){0};
    places->executable = find_executable(options->program);
    if (places->executable == NULL) {
        return -1;
    }
    places->pylib = find_pylib(places->executable);
    if (places->pylib == NULL || check_installation(options) < 0) {
        return -1;
    }
    return find_environment(places, options);
}

void places_clear(struct places *places)
{
    free(places->executable);
    free(places->pylib);
    free(places->environment);
    free(places->interpreter);
    *places = (struct places){0};
}
