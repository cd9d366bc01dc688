/* The CLINT's timer: time, one deadline with an interrupt, and waiting with a limit. */
#ifndef LIB_TIMER_H
#define LIB_TIMER_H

#include "types.h"

/* `hart` is this hart's index in the CLINT, `hz` mtime's frequency. */
void timer_init(uintptr_t clint, u32 hart, u32 hz);

/* mtime, in ticks; and ticks of so many microseconds. */
u64 timer_now(void);
u64 timer_ticks(u64 microseconds);

/* Calls `handler` from the interrupt once mtime >= deadline. One deadline at a time; NULL just wakes the hart. */
void timer_set(u64 deadline, void (*handler)(void));
void timer_cancel(void);

/* Software interrupt of this hart (msip). */
void timer_msip(bool on);

/* From trap_handler. */
void timer_interrupt(void);

/* Sleeps (wfi) until *flag is set by an interrupt handler, or the time is over: true if it was set. */
bool wait_flag(const volatile bool *flag, u64 microseconds);

/* Sleeps so long. */
void sleep_us(u64 microseconds);

#endif
