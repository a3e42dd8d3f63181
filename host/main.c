/* chanlab: parse the command line, configure CPython, run the program, report, return the exit
   code. */
#include "config.h"
#include "interp.h"
#include "options.h"
#include "places.h"
#include "report.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bad usage is told before Python starts, in one line. Returns 0, or -1 after a complaint. */
static int check_script(const char *script)
{
    int descriptor = script == NULL ? -1 : open(script, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (script != NULL && descriptor < 0) {
        complain("can't open script '%s': %s", script, strerror(errno));
        return -1;
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return 0;
}

/* Is the trace file the script itself, by whatever name? Then it would be emptied. */
static bool is_script(const char *trace, const char *script)
{
    struct stat a, b;
    return script != NULL && stat(trace, &a) == 0 && stat(script, &b) == 0 && S_ISREG(a.st_mode) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Makes the trace file, or empties it. The last thing before the program runs: a run that is
   refused leaves an older trace alone. Returns 0, or -1 after a complaint. */
static int start_trace(const struct options *options)
{
    if (options->trace == NULL) {
        return 0;
    }
    if (is_script(options->trace, options->script)) {
        complain("--trace '%s' is the script itself: name another file", options->trace);
        return -1;
    }
    struct stat there;
    if (stat(options->trace, &there) == 0 && (S_ISFIFO(there.st_mode) || S_ISCHR(there.st_mode))) {
        return 0; /* a pipe's reader would see the end of file if we opened it and closed it again */
    }
    int descriptor = open(options->trace, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        complain("can't write trace file '%s': %s", options->trace, strerror(errno));
        return -1;
    }
    close(descriptor);
    return 0;
}

/* Everything that can be found wrong once CPython is up. Returns INTERP_READY or the exit code. */
static int check_started(const struct options *options, const struct places *places)
{
    if (interp_need_greenlet(options, places) < 0) {
        return EXIT_USAGE;
    }
    int claimed = interp_claim_package();
    if (claimed != INTERP_READY) {
        return claimed;
    }
    /* The list of hooks has one parser, in Python. Without flags there is nothing to check. */
    bool native = options->native != NULL && strcmp(options->native, "none") != 0;
    if (native || options->trace != NULL) {
        const char *flags = options->trace == NULL ? "--native" : native ? "--native and --trace" : "--trace";
        int code = interp_check_hooks(flags);
        if (code != INTERP_READY) {
            return code;
        }
    }
    return start_trace(options) < 0 ? EXIT_USAGE : INTERP_READY;
}

static int run(const struct options *options, const struct places *places)
{
    if (check_script(options->script) < 0 || options_export(options) < 0) {
        return EXIT_USAGE;
    }
    int code = interp_start(options, places);
    if (code != INTERP_READY) {
        return code;
    }
    code = check_started(options, places);
    if (code != INTERP_READY) {
        interp_stop();
        return code;
    }
    return interp_run();
}

static int show_version(const struct options *options, const struct places *places)
{
    /* None of the program's arguments: only the environment matters here. */
    char *no_arguments[] = {options->python_argv[0], NULL};
    struct options plain = *options;
    plain.python_argc = 1;
    plain.python_argv = no_arguments;
    int code = interp_start(&plain, places);
    if (code != INTERP_READY) {
        return code;
    }
    char *python = interp_python_version();
    char *greenlet = interp_greenlet_version();
    printf("chanlab %s (CPython %s, greenlet %s)\n", CHANLAB_VERSION, python == NULL ? "?" : python,
           greenlet == NULL ? "not installed" : greenlet);
    free(python);
    free(greenlet);
    code = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* Python's end flushes, too, but would not tell */
    interp_stop();
    return code;
}

static int act(const struct options *options)
{
    if (options->action == ACTION_HELP) {
        return fputs(options_help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    struct places places;
    int code = EXIT_USAGE;
    if (places_find(&places, options) == 0) {
        code = options->action == ACTION_VERSION ? show_version(options, &places) : run(options, &places);
    }
    places_clear(&places);
    return code;
}

int chanlab_main(int argc, char **argv)
{
    struct options options;
    int code = options_read(&options, argc, argv) < 0 ? EXIT_USAGE : act(&options);
    options_clear(&options);
    return code;
}
