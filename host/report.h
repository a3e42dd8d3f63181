/* How the host talks to the person at the terminal: one line on stderr, never more. */
#ifndef CHANLAB_REPORT_H
#define CHANLAB_REPORT_H

/* The exit code for bad usage and an unusable environment, as python3 has it. */
enum { EXIT_USAGE = 2 };

/* Prints "chanlab: TEXT" and a newline to stderr. Control characters in TEXT, which file names
   and arguments may hold, become '?', so that the report stays one line. Cannot fail. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The formatted text in memory that the caller frees; NULL (and a complaint) without memory. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
