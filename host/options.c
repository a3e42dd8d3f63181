/* The grammar of the command line.

   chanlab's options and CPython's own may be mixed; both end at the first word that is no option,
   or at -c or -m. All that follows belongs to the script and is not looked at. */
#include "options.h"

#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_help[] = "usage: chanlab [option] ... [script | -m module | -c code | -] [arg] ...\n"
                            "       chanlab [option] ... (compare | ablate | bench) [arg] ...\n"
                            "Runs a Python program that may `import stackless` and `import select_proto`.\n"
                            "\n"
                            "  --native[=LIST]  run these hooks in C: all (the default without a list), none,\n"
                            "                   or names with commas, such as waitq,runq or all,-runq\n"
                            "  --native=?       show which hooks there are and what runs\n"
                            "  --seed N         repeat a run: seeds select's choices and Python's string hashes\n"
                            "                   (0 <= N < 2**64; decimal or 0x...)\n"
                            "  --trace FILE     write every step of the scheduler to FILE as JSON Lines\n"
                            "  -h, --help       this text\n"
                            "  -V, --version    the versions of chanlab, CPython and greenlet\n"
                            "\n"
                            "  compare          run a script on two sets of hooks and compare behaviour and time\n"
                            "  ablate           find out what each hook is worth to a script\n"
                            "  bench            time the workloads of bench/, and those of other systems\n"
                            "                   (each has a --help of its own)\n"
                            "\n"
                            "CPython's own options (-E -I -O -W -X -i -u ...) work as with python3; --help-all,\n"
                            "--help-env and --help-xoptions show them. Without a program chanlab reads stdin.\n"
                            "CHANLAB_NATIVE=LIST and CHANLAB_SEED=N stand for --native=LIST and --seed N.\n"
                            "VIRTUAL_ENV names the virtual environment to use.\n";

/* Subcommands: the first word that is no option. A script of that name is run as ./NAME. The
   code goes to CPython's -c; argv[0] is set because "-c" would tell the user nothing. */
#define SUBCOMMAND(name)                                                                                               \
    "import runpy, sys; sys.argv[0] = 'chanlab " name "'; "                                                            \
    "runpy.run_module('chanlab.ab." name "', run_name='__main__')"
static const struct {
    const char *name;
    const char *code;
} subcommands[] = {
    {"compare", SUBCOMMAND("compare")},
    {"ablate", SUBCOMMAND("ablate")},
    {"bench", SUBCOMMAND("bench")},
};

static const char show_hooks[] = "import chanlab.hooks; raise SystemExit(chanlab.hooks.main())";

/* CPython's short options without and with an argument; -h, -? and -V are chanlab's. */
static const char python_flags[] = "bBdEiIOPqRsStuvx";
static const char python_valued[] = "cmWX";

static const char trace_xoption[] = "chanlab_trace";

/* What the loop over the words knows beyond the options themselves. */
struct reader {
    struct options *options;
    int next;          /* index in argv of the next word */
    bool done;         /* the rest belongs to the script */
    bool hooks_wanted; /* --native=? */
    const char *trace; /* as typed */
};

/* Appends a copy of word to CPython's arguments. Returns 0, or -1 after a complaint. The array
   is large enough from the start: see options_read. */
static int pass_on(struct options *options, const char *word)
{
    char *copy = text("%s", word);
    if (copy == NULL) {
        return -1;
    }
    options->python_argv[options->python_argc++] = copy;
    return 0;
}

/* The value of an option: what stands behind it in its own word, else the next word. Returns
   NULL after a complaint if there is none. */
static const char *value_of(struct reader *reader, const char *option, const char *attached)
{
    if (attached != NULL) {
        return attached;
    }
    if (reader->next < reader->options->argc) {
        return reader->options->argv[reader->next++];
    }
    complain("option %s needs a value after it (chanlab --help lists the options)", option);
    return NULL;
}

/* Reads a seed. Returns 0, or -1 without a complaint if word is no number in range. */
static int parse_seed(const char *word, uint64_t *seed)
{
    bool hex = word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    const char *digits = hex ? word + 2 : word;
    const char *allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
    if (*digits == '\0' || digits[strspn(digits, allowed)] != '\0') {
        return -1; /* strtoull would take signs and blanks */
    }
    errno = 0;
    unsigned long long value = strtoull(digits, NULL, hex ? 16 : 10);
    if (errno != 0 || value > UINT64_MAX) {
        return -1;
    }
    *seed = value;
    return 0;
}

static int take_seed(struct options *options, const char *origin, const char *word)
{
    if (parse_seed(word, &options->seed) < 0) {
        complain("%s '%s' is no seed: give a whole number from 0 to 2**64-1, decimal or 0x...", origin, word);
        return -1;
    }
    options->has_seed = true;
    return 0;
}

static int take_native(struct reader *reader, const char *list)
{
    if (list == NULL) {
        reader->options->native = "all";
    } else if (strcmp(list, "?") == 0) {
        reader->hooks_wanted = true;
    } else if (*list == '\0') {
        complain("--native= names no hook: say --native=none, --native=all or a list");
        return -1;
    } else {
        reader->options->native = list;
    }
    return 0;
}

static int take_trace(struct reader *reader, const char *option, const char *file)
{
    if (*file == '\0') {
        complain("option %s needs the name of a file", option);
        return -1;
    }
    reader->trace = file;
    return 0;
}

/* --check-hash-based-pycs MODE, checked here because CPython would answer with its whole usage. */
static int take_pycs(struct reader *reader, const char *option)
{
    const char *mode = value_of(reader, option, NULL);
    if (mode == NULL) {
        return -1;
    }
    if (strcmp(mode, "default") != 0 && strcmp(mode, "always") != 0 && strcmp(mode, "never") != 0) {
        complain("%s '%s': give default, always or never", option, mode);
        return -1;
    }
    return pass_on(reader->options, option) < 0 ? -1 : pass_on(reader->options, mode);
}

static int unknown(const char *option)
{
    complain("unknown option %s (chanlab --help lists the options)", option);
    return -1;
}

/* One word that starts with "--". Returns 0, or -1 after a complaint. */
static int long_option(struct reader *reader, const char *word)
{
    struct options *options = reader->options;
    const char *equals = strchr(word, '=');
    size_t length = equals == NULL ? strlen(word) : (size_t)(equals - word);
    const char *attached = equals == NULL ? NULL : equals + 1;
#define IS(name) (length == sizeof(name) - 1 && strncmp(word, name, length) == 0)
    if (IS("--native")) {
        return take_native(reader, attached);
    }
    if (IS("--seed")) {
        const char *value = value_of(reader, "--seed", attached);
        return value == NULL ? -1 : take_seed(options, "--seed", value);
    }
    if (IS("--trace")) {
        const char *value = value_of(reader, "--trace", attached);
        return value == NULL ? -1 : take_trace(reader, "--trace", value);
    }
    if (attached != NULL) {
        return unknown(word); /* none of the others takes a value in its own word */
    }
    if (IS("--help")) {
        options->action = ACTION_HELP;
        return 0;
    }
    if (IS("--version")) {
        options->action = ACTION_VERSION;
        return 0;
    }
    if (IS("--check-hash-based-pycs")) {
        return take_pycs(reader, word);
    }
    if (IS("--help-all") || IS("--help-env") || IS("--help-xoptions")) {
        return pass_on(options, word);
    }
#undef IS
    return unknown(word);
}

/* Passes on one of -c -m -W -X together with the flags before it in its word. Returns 0, or -1
   after a complaint. */
static int valued_option(struct reader *reader, const char *word, const char *letter)
{
    struct options *options = reader->options;
    char name[] = {'-', *letter, '\0'};
    const char *value = value_of(reader, name, letter[1] != '\0' ? letter + 1 : NULL);
    if (value == NULL) {
        return -1;
    }
    size_t length = sizeof trace_xoption - 1;
    bool trace =
        *letter == 'X' && strncmp(value, trace_xoption, length) == 0 && (value[length] == '=' || value[length] == '\0');
    if (trace && take_trace(reader, "-X chanlab_trace=FILE", value[length] == '=' ? value + length + 1 : "") < 0) {
        return -1;
    }
    int before = (int)(letter - word); /* "-" and the flags of the cluster */
    char *flags = text("%.*s%s", before, word, trace ? "" : name + 1);
    if (flags == NULL) {
        return -1;
    }
    int failed = trace && before == 1 ? 0 : pass_on(options, flags);
    free(flags);
    if (failed == 0 && !trace) {
        failed = pass_on(options, value);
    }
    reader->done = *letter == 'c' || *letter == 'm';
    return failed;
}

/* One word of short options, "-u" or a cluster such as "-uIc". Returns 0, or -1 after a
   complaint. */
static int short_options(struct reader *reader, const char *word)
{
    struct options *options = reader->options;
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        if (*letter == 'h' || *letter == '?') {
            options->action = ACTION_HELP;
        } else if (*letter == 'V') {
            options->action = ACTION_VERSION;
        } else if (strchr(python_valued, *letter) != NULL) {
            return valued_option(reader, word, letter);
        } else if (strchr(python_flags, *letter) == NULL) {
            return unknown(word);
        }
        options->ignore_environment |= *letter == 'E' || *letter == 'I';
        options->no_site |= *letter == 'S';
    }
    return pass_on(options, word);
}

/* The subcommands choose hooks and trace for themselves: ours must not be ignored in silence.
 * Returns 0, or -1 after a complaint. */
static int check_subcommand(const struct options *options, const char *word)
{
    const char *given = options->native != NULL ? "--native" : options->trace != NULL ? "--trace" : NULL;
    if (given == NULL) {
        return 0;
    }
    complain("%s means nothing to '%s': see 'chanlab %s --help'", given, word, word);
    return -1;
}

/* "-" or a script. */
static int script_word(struct reader *reader, const char *word)
{
    reader->done = true;
    if (strcmp(word, "-") != 0) {
        reader->options->script = word;
    }
    return pass_on(reader->options, word);
}

/* The first word that is no option: a subcommand, "-" or a script. */
static int program_word(struct reader *reader, const char *word)
{
    struct options *options = reader->options;
    reader->done = true;
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(word, subcommands[i].name) == 0) {
            options->own_tool = true;
            if (check_subcommand(options, word) < 0) {
                return -1;
            }
            return pass_on(options, "-c") < 0 ? -1 : pass_on(options, subcommands[i].code);
        }
    }
    return script_word(reader, word);
}

static int read_words(struct reader *reader)
{
    struct options *options = reader->options;
    while (!reader->done && reader->next < options->argc) {
        const char *word = options->argv[reader->next++];
        int failed;
        if (word[0] != '-' || word[1] == '\0') {
            failed = program_word(reader, word);
        } else if (strcmp(word, "--") == 0) {
            failed = pass_on(options, word); /* the next word is a script, whatever it looks like */
            if (failed == 0 && reader->next < options->argc) {
                failed = script_word(reader, options->argv[reader->next++]);
            }
            reader->done = true;
        } else if (word[1] == '-') {
            failed = long_option(reader, word);
        } else {
            failed = short_options(reader, word);
        }
        if (failed < 0) {
            return -1;
        }
    }
    while (reader->next < options->argc) {
        if (pass_on(options, options->argv[reader->next++]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The variable's value; NULL when it is unset or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static int read_environment(struct options *options)
{
    const char *seed = variable("CHANLAB_SEED");
    if (seed != NULL && !options->has_seed && take_seed(options, "CHANLAB_SEED", seed) < 0) {
        return -1;
    }
    if (options->native == NULL) {
        options->native = variable("CHANLAB_NATIVE");
    }
    options->virtual_env = variable("VIRTUAL_ENV");
    if (!options->ignore_environment) {
        options->python_home = variable("PYTHONHOME");
        const char *hash_seed = variable("PYTHONHASHSEED");
        options->fixed_hash_seed = hash_seed != NULL && strcmp(hash_seed, "random") != 0;
    }
    return 0;
}

/* Puts words in front of CPython's arguments, behind the program. Returns 0, or -1 after a
   complaint. The array is large enough: see options_read. */
static int put_first(struct options *options, const char *first, const char *second)
{
    char *pair[2] = {text("%s", first), text("%s", second)};
    if (pair[0] == NULL || pair[1] == NULL) {
        free(pair[0]);
        free(pair[1]);
        return -1;
    }
    memmove(options->python_argv + 3, options->python_argv + 1, sizeof(char *) * (size_t)(options->python_argc - 1));
    memcpy(options->python_argv + 1, pair, sizeof pair);
    options->python_argc += 2;
    return 0;
}

/* The trace's path is handed to Python as -X chanlab_trace=FILE, which children do not inherit:
   two processes must not write one file. It is made absolute because the script may chdir. */
static int resolve_trace(struct options *options, const char *file)
{
    if (*file == '/') {
        options->trace = text("%s", file);
    } else {
        char *here = getcwd(NULL, 0);
        if (here == NULL) {
            complain("--trace '%s': the current directory is gone: give an absolute path", file);
            return -1;
        }
        options->trace = text("%s/%s", here, file);
        free(here);
    }
    if (options->trace == NULL) {
        return -1;
    }
    char *xoption = text("%s=%s", trace_xoption, options->trace);
    int failed = xoption == NULL ? -1 : put_first(options, "-X", xoption);
    free(xoption);
    return failed;
}

/* --native=? takes the place of whatever program was named. */
static int run_hook_table(struct options *options)
{
    while (options->python_argc > 1) {
        free(options->python_argv[--options->python_argc]);
        options->python_argv[options->python_argc] = NULL;
    }
    options->script = NULL;
    options->own_tool = true;
    return put_first(options, "-c", show_hooks);
}

int options_read(struct options *options, int argc, char **argv)
{
    *options = (struct options){.program = argc > 0 ? argv[0] : "chanlab", .argc = argc, .argv = argv};
    /* Every word becomes at most two, the trace and a subcommand add two each, NULL ends it. */
    options->python_argv = calloc(2 * (size_t)argc + 8, sizeof(char *));
    if (options->python_argv == NULL) {
        complain("out of memory");
        return -1;
    }
    struct reader reader = {.options = options, .next = 1};
    if (pass_on(options, options->program) < 0 || read_words(&reader) < 0 || read_environment(options) < 0) {
        return -1;
    }
    if (reader.hooks_wanted) {
        return run_hook_table(options);
    }
    if (reader.trace != NULL) {
        return resolve_trace(options, reader.trace);
    }
    return 0;
}

int options_export(const struct options *options)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, options->seed);
    if ((options->native != NULL && setenv("CHANLAB_NATIVE", options->native, 1) != 0) ||
        (options->has_seed && setenv("CHANLAB_SEED", number, 1) != 0)) {
        complain("cannot set an environment variable: %s", strerror(errno));
        return -1;
    }
    return 0;
}

void options_clear(struct options *options)
{
    for (int i = 0; i < options->python_argc; i++) {
        free(options->python_argv[i]);
    }
    free(options->python_argv);
    free(options->trace);
    *options = (struct options){0};
}
