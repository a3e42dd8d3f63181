/* gochan.h - Go's channels as C objects; see core.h for what holds of all. */
#ifndef CHANLAB_GOCHAN_H
#define CHANLAB_GOCHAN_H

#include "select.h"

#ifdef CHANLAB_CORE

/* The values that were sent and not yet received, the oldest at `first`: a ring of memory that grows. */
typedef struct Buffer {
    PyObject_HEAD
    PyObject **items;
    Py_ssize_t first, count, room;
} Buffer;

typedef struct GoChannel {
    Channel channel;
    PyObject *buffer; /* of that type, always */
    PyObject *size;   /* an int, and */
    Py_ssize_t most;  /* the same */
} GoChannel;

static inline Buffer *buffer_of(Channel *ch) { return (Buffer *)((GoChannel *)ch)->buffer; }

/* Whether a channel of the core's kinds, which is open, can do at once what is asked: sends, or receives. */
static inline int is_ready(Channel *ch, enum Kind kind, int sends)
{
    if (((WaitQueue *)(sends ? ch->receivers : ch->senders))->head)
        return 1;
    return kind == GO && (sends ? buffer_of(ch)->count < ((GoChannel *)ch)->most : buffer_of(ch)->count > 0);
}

/* Whether it can without a partner: Python's ALONE. */
static inline int is_alone(Channel *ch, int sends)
{
    if (ch->kind != GO)
        return 0;
    return sends ? !((WaitQueue *)ch->receivers)->head : buffer_of(ch)->count > 0;
}

/* Put a value into the buffer.  0, or -1 with MemoryError. */
int go_put(Channel *ch, PyObject *value);
/* Take the oldest value out of the buffer, which has one; the first who waits to send puts his in.  New reference; NULL
 * without an exception, and nothing has changed, when the Python twin must do it.  `state` is the generator's. */
PyObject *go_take(Scheduler *sched, Channel *ch, uint64_t *state);

/* send() on a Go channel, as channel_send() does it on others. */
PyObject *go_send(Channel *ch, PyObject *const *args);
#endif

#endif
