#include "trap.h"
#include "csr.h"
#include "finisher.h"
#include "plic.h"
#include "printf.h"
#include "timer.h"

static exception_handler_t *exception_handler = NULL;
static void (*software_handler)(void) = NULL;

exception_handler_t *trap_set_handler(exception_handler_t *handler)
{
	exception_handler_t *old = exception_handler;

	exception_handler = handler;
	return old;
}

void trap_set_software_handler(void (*handler)(void))
{
	software_handler = handler;
}

unsigned insn_length(unsigned long pc)
{
	return (*(const u16 *)pc & 3) == 3 ? 4 : 2;
}

unsigned long irq_save(void)
{
	unsigned long old = csr_read(mstatus) & MSTATUS_MIE;

	csr_clear(mstatus, MSTATUS_MIE);
	return old;
}

void irq_restore(unsigned long saved)
{
	csr_set(mstatus, saved);
}

void irq_enable(void)
{
	csr_set(mstatus, MSTATUS_MIE);
}

void panic(const char *format, ...)
{
	va_list args;

	csr_clear(mstatus, MSTATUS_MIE);
	/* Whatever the console was, it may be what broke. */
	console_set(NULL);
	printf("panic: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nFAIL\n");
	finisher_fail(1);
}

static void report(const struct trap_frame *frame)
{
	static const char names[32][5] = { "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
					   "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
					   "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6" };

	for (unsigned i = 1; i < 32; i++)
		printf("%4s %p%s", names[i], (void *)frame->x[i], i % 4 == 3 ? "\n" : "  ");
	panic("unexpected exception: mcause %lu, mepc %p, mtval 0x%lx", frame->cause, (void *)frame->epc, frame->tval);
}

/* Called by trap_entry (start.S). */
void trap_handler(struct trap_frame *frame)
{
	if (!(frame->cause & CAUSE_INTERRUPT)) {
		if (exception_handler == NULL || !exception_handler(frame))
			report(frame);
		return;
	}
	switch (frame->cause & ~CAUSE_INTERRUPT) {
	case IRQ_M_SOFT:
		if (software_handler == NULL)
			panic("unexpected software interrupt");
		software_handler();
		break;
	case IRQ_M_TIMER:
		timer_interrupt();
		break;
	case IRQ_M_EXT:
		plic_interrupt();
		break;
	default:
		panic("unexpected interrupt: mcause 0x%lx", frame->cause);
	}
}
