/* queues.h - both kinds of queues as the other layers in C see them: their members, joining and leaving. */
#ifndef CHANLAB_QUEUES_H
#define CHANLAB_QUEUES_H

#include "chanlab.h"

typedef struct WaitQueue {
    PyObject_HEAD
    Link *head, *tail;
    Py_ssize_t length;
    PyObject *weakrefs;
} WaitQueue;

/* Takes over the caller's reference to `node`, which is in no queue. */
static inline void waitq_link(WaitQueue *q, Link *node)
{
    node->home = (PyObject *)q;
    node->next = NULL;
    node->prev = q->tail;
    if (q->tail)
        q->tail->next = node;
    else
        q->head = node;
    q->tail = node;
    q->length++;
}

/* Hands the queue's reference to `node`, a member, to the caller. */
static inline void waitq_unlink(WaitQueue *q, Link *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        q->head = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        q->tail = node->prev;
    node->next = node->prev = NULL;
    node->home = NULL;
    q->length--;
}

/* Both once more for a select, most of whose cases wait alone, where half as many writes will do: when nobody is in the
 * queue, and when nobody else is.  The neighbours of a node that is in no queue are NULL, and those of one that is
 * alone. Where a single tasklet waits, the longer way is the faster one. */
static inline void waitq_link_alone(WaitQueue *q, Link *node)
{
    node->home = (PyObject *)q;
    q->head = q->tail = node;
    q->length = 1;
}

static inline void waitq_unlink_alone(WaitQueue *q, Link *node)
{
    node->home = NULL;
    q->head = q->tail = NULL;
    q->length = 0;
}

typedef struct RunQueue {
    PyObject_HEAD
    Link *head;
    Py_ssize_t length;
    PyObject *weakrefs;
} RunQueue;

/* Takes over the caller's reference to `node`, which is in no queue; it joins between `before` and its successor.
 * `before` is NULL only when the ring is empty. */
static inline void runq_link(RunQueue *q, Link *before, Link *node)
{
    if (!before) {
        node->next = node->prev = q->head = node;
    } else {
        node->prev = before;
        node->next = before->next;
        before->next->prev = node;
        before->next = node;
    }
    node->home = (PyObject *)q;
    q->length++;
}

/* Hands the ring's reference to `node`, a member, to the caller. */
static inline void runq_unlink(RunQueue *q, Link *node)
{
    if (node == q->head)
        q->head = node->next != node ? node->next : NULL;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
    node->home = NULL;
    q->length--;
}

#endif
