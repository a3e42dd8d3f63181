/* depths.h - how many operands a frame holds where it stands. */
#ifndef CHANLAB_DEPTHS_H
#define CHANLAB_DEPTHS_H

#include "chanlab.h"

/* How many operands code holds before the instruction with this index (in code units) begins.  -1 when that is unknown.
 * The first question about a code object runs Python code; there is never an exception afterwards. */
int depth_at(ModuleState *state, PyCodeObject *code, int index);
/* The same without running Python code: -1, too, when the question has not been asked before. */
int depth_known_at(ModuleState *state, PyCodeObject *code, int index);

#endif
