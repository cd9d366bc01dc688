/* The test finisher: how an image ends the run. */
#ifndef LIB_FINISHER_H
#define LIB_FINISHER_H

#include "types.h"

/* Base address; until then the board's fixed one. */
void finisher_init(uintptr_t base);

/* Ends the run: exit status 0, or `code` (0 counts as 1). */
__attribute__((noreturn)) void finisher_pass(void);
__attribute__((noreturn)) void finisher_fail(unsigned code);

#endif
