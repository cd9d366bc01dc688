/* What the device tree says this machine is. Nothing here is known before platform_init(). */
#ifndef LIB_PLATFORM_H
#define LIB_PLATFORM_H

#include "types.h"

#define PLATFORM_VIRTIO_MAX 32

struct platform {
	const void *fdt;
	unsigned long hart;
	const char *model;
	u64 memory_base, memory_size;
	u32 harts;
	u32 timebase; /* mtime's ticks per second */
	unsigned long uart;
	u32 uart_irq;
	unsigned long finisher;
	unsigned long clint;
	u32 clint_hart; /* this hart's index in the CLINT */
	unsigned long plic;
	u32 plic_sources;
	u32 plic_context; /* this hart's machine-mode context */
	/* virtio-mmio slots by ascending address. */
	struct platform_virtio {
		unsigned long base;
		size_t size;
		u32 irq;
	} virtio[PLATFORM_VIRTIO_MAX];
	u32 virtio_count;
};

extern struct platform platform;

/* Reads the tree; false (and a message on the UART) where it lacks something every image needs. */
bool platform_init(unsigned long hart, const void *fdt);

#endif
