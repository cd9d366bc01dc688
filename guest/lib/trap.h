/* Traps in machine mode: exceptions go to a handler the image may set, interrupts to whoever asked for them. */
#ifndef LIB_TRAP_H
#define LIB_TRAP_H

#include "types.h"

/* As trap_entry (start.S) lays it out; changes to it take effect at the return. */
struct trap_frame {
	unsigned long x[32];
	unsigned long epc;
	unsigned long status;
	unsigned long cause;
	unsigned long tval;
};

/* Deals with an exception: true to go on at frame->epc, false for "not mine" (the image then ends with a report). */
typedef bool exception_handler_t(struct trap_frame *frame);

/* Sets the exception handler, NULL for none. Returns the old one. */
exception_handler_t *trap_set_handler(exception_handler_t *handler);

/* Sets who is called for machine software interrupts (priv §3.1.9). */
void trap_set_software_handler(void (*handler)(void));

/* Bytes of the instruction at `pc`: 2 or 4. */
unsigned insn_length(unsigned long pc);

/* Machine interrupts on and off; irq_save returns what irq_restore takes. */
unsigned long irq_save(void);
void irq_restore(unsigned long saved);
void irq_enable(void);

/* Prints a message and where we are, and ends the run as failed. */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

#endif
