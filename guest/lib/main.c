/* From start.S to main() and back: what is set up for every image, and how it ends. */
#include "finisher.h"
#include "lib.h"

extern char _end[];

/* The tree may lie in RAM behind the image: the heap must not run over it. */
static void init_heap(const void *fdt)
{
	uintptr_t start = (uintptr_t)_end;
	u64 end = platform.memory_base + platform.memory_size;

	/* RV32 cannot address the last byte before 4 GiB and an end beyond it at once. */
	if (end > UINTPTR_MAX)
		end = UINTPTR_MAX;
	if ((uintptr_t)fdt >= start && (uintptr_t)fdt < end)
		end = (uintptr_t)fdt;
	alloc_init(start, end);
}

/* Called by start.S. */
void lib_main(unsigned long hart, const void *fdt)
{
	int status;

	if (!platform_init(hart, fdt))
		panic("cannot go on without the device tree");
	uart_init(platform.uart);
	finisher_init(platform.finisher);
	timer_init(platform.clint, platform.clint_hart, platform.timebase);
	plic_init(platform.plic, platform.plic_sources, platform.plic_context);
	init_heap(fdt);
	irq_enable();

	status = main();

	irq_save();
	if (status == 0) {
		printf("PASS\n");
		finisher_pass();
	}
	printf("FAIL %d\n", status);
	finisher_fail(status);
}
