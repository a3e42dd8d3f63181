#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char *vtext(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *made = length < 0 ? NULL : malloc((size_t)length + 1);
    if (made != NULL) {
        vsnprintf(made, (size_t)length + 1, format, args);
    }
    return made;
}

void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = vtext(format, args);
    va_end(args);
    if (line == NULL) {
        fputs("chanlab: out of memory\n", stderr);
        return;
    }
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
    fprintf(stderr, "chanlab: %s\n", line);
    free(line);
}

char *text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *made = vtext(format, args);
    va_end(args);
    if (made == NULL) {
        complain("out of memory");
    }
    return made;
}
