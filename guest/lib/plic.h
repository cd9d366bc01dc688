/* Platform-level interrupt controller (RISC-V PLIC specification 1.0.0), for this hart's machine-mode context. */
#ifndef LIB_PLIC_H
#define LIB_PLIC_H

#include "types.h"

typedef void irq_handler_t(u32 irq, void *data);

/* Everything off, threshold 0, external interrupts on in mie. */
void plic_init(uintptr_t base, u32 sources, u32 context);

/* Registers, one word each. */
void plic_set_priority(u32 irq, u32 priority);
u32 plic_priority(u32 irq);
void plic_enable(u32 irq, bool on);
void plic_set_threshold(u32 threshold);
u32 plic_threshold(void);
bool plic_pending(u32 irq);
u32 plic_claim(void);
void plic_complete(u32 irq);

/* Calls `handler(irq, data)` on interrupts from source `irq`, at priority 1. One handler per source. */
int request_irq(u32 irq, irq_handler_t *handler, void *data);
void free_irq(u32 irq);

/* Claims, handles and completes until nothing is pending (from trap_handler). */
void plic_interrupt(void);

/* Interrupts handled since the start. */
unsigned long plic_handled(void);

#endif
