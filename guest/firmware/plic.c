/*
 * The PLIC, with the UART's "transmitter empty" interrupt as a level that can be switched: pending, enable, priority,
 * threshold, claim and complete (RISC-V PLIC specification 1.0.0). Nothing is printed while the level is high.
 */
#include "../lib/lib.h"

#define UART_IER 1
#define UART_IER_THRE 0x02

static volatile unsigned handled;

static void level(bool high)
{
	writeb(high ? UART_IER_THRE : 0, platform.uart + UART_IER);
}

static void on_uart(u32 irq, void *data)
{
	(void)irq;
	(*(volatile unsigned *)data)++;
	level(false);
}

static int registers(u32 irq)
{
	plic_set_priority(irq, 3);
	CHECK(plic_priority(irq) == 3);
	plic_set_priority(irq, 0);
	CHECK(plic_priority(irq) == 0);
	plic_set_priority(0, 7); /* source 0 does not exist */
	CHECK(plic_priority(0) == 0);
	plic_set_threshold(5);
	CHECK(plic_threshold() == 5);
	plic_set_threshold(0);
	CHECK(plic_threshold() == 0);
	printf("priorities and threshold hold what was written\n");
	return 0;
}

static int masking(u32 irq)
{
	bool pending, claimable, external;
	u32 claimed[5];

	level(true);
	pending = plic_pending(irq);
	claimed[0] = plic_claim(); /* not enabled */
	plic_enable(irq, true);
	claimed[1] = plic_claim(); /* priority 0: never */
	plic_set_priority(irq, 2);
	plic_set_threshold(2);
	external = csr_read(mip) >> IRQ_M_EXT & 1; /* not above the threshold: not signalled */
	plic_set_threshold(1);
	claimable = csr_read(mip) >> IRQ_M_EXT & 1;
	claimed[2] = plic_claim();
	claimed[3] = plic_claim(); /* in service: not again before completion */
	level(false);
	plic_complete(irq);
	claimed[4] = plic_claim(); /* the level went away meanwhile */
	plic_set_threshold(0);
	plic_enable(irq, false);

	CHECK(pending);
	CHECK(claimed[0] == 0);
	printf("disabled: pending, not claimed\n");
	CHECK(claimed[1] == 0);
	printf("priority 0: not claimed\n");
	CHECK(!external && claimable);
	printf("priority 2: signalled above threshold 1, not above threshold 2\n");
	CHECK(claimed[2] == irq && claimed[3] == 0);
	printf("claimed once\n");
	CHECK(claimed[4] == 0);
	printf("completed, level low: nothing left\n");
	return 0;
}

static int by_interrupt(u32 irq)
{
	CHECK(request_irq(irq, on_uart, (void *)&handled) == 0);
	CHECK(request_irq(irq, on_uart, NULL) == -EBUSY);
	irq_enable();
	for (unsigned i = 0; i < 3; i++) {
		level(true);
		while (handled == i)
			;
	}
	irq_save();
	free_irq(irq);
	printf("interrupts handled: %u\n", handled);
	CHECK(handled == 3 && plic_handled() == 3);
	return 0;
}

int main(void)
{
	u32 irq = platform.uart_irq;

	printf("plic: RV%d, %u sources, context %u, UART is source %u\n", __riscv_xlen, platform.plic_sources,
	       platform.plic_context, irq);
	irq_save();
	return registers(irq) || masking(irq) || by_interrupt(irq);
}
