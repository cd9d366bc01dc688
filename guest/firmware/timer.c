/* The CLINT: time passes, deadlines interrupt and not early, wfi sleeps and wakes, msip interrupts. */
#include "../lib/lib.h"

#define PERIOD_US 1000
#define ROUNDS 5

static volatile unsigned ticks;
static volatile bool done;
static volatile unsigned software;
static u64 deadline;
static volatile unsigned early;

static void on_tick(void)
{
	if (timer_now() < deadline)
		early++;
	if (++ticks == ROUNDS) {
		done = true;
		return;
	}
	deadline += timer_ticks(PERIOD_US);
	timer_set(deadline, on_tick);
}

static void on_software(void)
{
	software++;
	timer_msip(false);
}

static int time_passes(void)
{
	u64 start = timer_now(), time_csr;

	while (timer_now() == start)
		;
	CHECK(timer_now() > start);
#if __riscv_xlen == 64
	time_csr = csr_read(time);
#else
	/* The halves may tear; one more reading of the same high word proves they did not. */
	u32 high;

	do {
		high = csr_read(timeh);
		time_csr = (u64)high << 32 | csr_read(time);
	} while (high != csr_read(timeh));
#endif
	CHECK(time_csr > start && time_csr <= timer_now());
	printf("time passes, and the time CSR agrees with mtime\n");
	return 0;
}

static int deadlines(void)
{
	u64 start = timer_now();

	deadline = start + timer_ticks(PERIOD_US);
	timer_set(deadline, on_tick);
	while (!done)
		__asm__ volatile("wfi");
	printf("%u deadlines, %u early\n", ticks, early);
	CHECK(ticks == ROUNDS && early == 0);
	CHECK(timer_now() - start >= ROUNDS * timer_ticks(PERIOD_US));
	return 0;
}

static int wakes_without_trap(void)
{
	unsigned long saved = irq_save();
	u64 end = timer_now() + timer_ticks(PERIOD_US);

	/* priv §3.3.3: wfi resumes for a pending enabled interrupt even while mstatus.MIE is clear. */
	timer_set(end, NULL);
	do
		__asm__ volatile("wfi");
	while (timer_now() < end);
	CHECK((csr_read(mip) & 1UL << IRQ_M_TIMER) != 0);
	timer_cancel();
	CHECK((csr_read(mip) & 1UL << IRQ_M_TIMER) == 0);
	irq_restore(saved);
	printf("wfi woke with interrupts off, no trap taken\n");
	return 0;
}

static int waiting_ends(void)
{
	static volatile bool never;
	u64 start = timer_now();

	CHECK(!wait_flag(&never, PERIOD_US));
	CHECK(timer_now() - start >= timer_ticks(PERIOD_US));
	printf("a wait for nothing timed out\n");
	return 0;
}

static int software_interrupt(void)
{
	trap_set_software_handler(on_software);
	csr_set(mie, 1UL << IRQ_M_SOFT);
	timer_msip(true);
	while (software == 0)
		;
	printf("software interrupts: %u\n", software);
	CHECK(software == 1);
	return 0;
}

int main(void)
{
	printf("timer: RV%d, %u ticks per second\n", __riscv_xlen, platform.timebase);
	return time_passes() || deadlines() || wakes_without_trap() || waiting_ends() || software_interrupt();
}
