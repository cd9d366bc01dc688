#include "timer.h"
#include "csr.h"
#include "io.h"
#include "trap.h"

#define CLINT_MSIP(hart) (4 * (hart))
#define CLINT_MTIMECMP(hart) (0x4000 + 8 * (hart))
#define CLINT_MTIME 0xbff8

static struct {
	uintptr_t clint;
	u32 hart;
	u32 hz;
	void (*handler)(void);
} timer;

/* The deadline in two words, never passing through a value that is already over. */
static void set_mtimecmp(u64 deadline)
{
	uintptr_t reg = timer.clint + CLINT_MTIMECMP(timer.hart);

	writel(UINT32_MAX, reg + 4);
	writel((u32)deadline, reg);
	writel((u32)(deadline >> 32), reg + 4);
}

void timer_init(uintptr_t clint, u32 hart, u32 hz)
{
	timer.clint = clint;
	timer.hart = hart;
	timer.hz = hz;
	timer_msip(false);
	set_mtimecmp(UINT64_MAX);
}

u64 timer_now(void)
{
	u32 high, low;

	do {
		high = readl(timer.clint + CLINT_MTIME + 4);
		low = readl(timer.clint + CLINT_MTIME);
	} while (high != readl(timer.clint + CLINT_MTIME + 4));
	return (u64)high << 32 | low;
}

u64 timer_ticks(u64 microseconds)
{
	return microseconds * timer.hz / 1000000;
}

void timer_set(u64 deadline, void (*handler)(void))
{
	csr_clear(mie, 1UL << IRQ_M_TIMER);
	timer.handler = handler;
	set_mtimecmp(deadline);
	csr_set(mie, 1UL << IRQ_M_TIMER);
}

void timer_cancel(void)
{
	csr_clear(mie, 1UL << IRQ_M_TIMER);
	set_mtimecmp(UINT64_MAX);
}

void timer_msip(bool on)
{
	writel(on, timer.clint + CLINT_MSIP(timer.hart));
}

void timer_interrupt(void)
{
	void (*handler)(void) = timer.handler;

	timer_cancel();
	if (handler != NULL)
		handler();
}

bool wait_flag(const volatile bool *flag, u64 microseconds)
{
	u64 deadline = timer_now() + timer_ticks(microseconds);
	unsigned long saved = irq_save();

	timer_set(deadline, NULL);
	while (!*flag && timer_now() < deadline) {
		/* With interrupts masked nothing slips in between the test and wfi, which wakes for a pending one anyway. */
		__asm__ volatile("wfi");
		irq_enable();
		irq_save();
	}
	timer_cancel();
	irq_restore(saved);
	return *flag;
}

void sleep_us(u64 microseconds)
{
	static const volatile bool never = false;

	wait_flag(&never, microseconds);
}
