#include "platform.h"
#include "csr.h"
#include "fdt.h"
#include "printf.h"
#include "string.h"

struct platform platform;

static bool is_named(const char *node, const char *name)
{
	size_t length = strlen(name);

	return strncmp(node, name, length) == 0 && (node[length] == '\0' || node[length] == '@');
}

static void add_virtio(const struct fdt_walk *walk, u64 base, u64 size)
{
	struct platform_virtio slot = { base, size, fdt_cell(walk, "interrupts", 0, 0) };
	u32 i = platform.virtio_count;

	if (i == PLATFORM_VIRTIO_MAX)
		return;
	/* Trees list the slots in either direction. */
	for (; i > 0 && platform.virtio[i - 1].base > slot.base; i--)
		platform.virtio[i] = platform.virtio[i - 1];
	platform.virtio[i] = slot;
	platform.virtio_count++;
}

/*
 * Place of (interrupt controller `phandle`, interrupt `cause`) in a node's interrupts-extended: the number of the
 * PLIC's context, and for a CLINT, whose entries come in pairs, twice the hart's index.
 */
static u32 extended_index(const struct fdt_walk *walk, u32 phandle, u32 cause)
{
	u32 value;

	for (u32 i = 0; (value = fdt_cell(walk, "interrupts-extended", 2 * i, 0)) != 0; i++)
		if (value == phandle && fdt_cell(walk, "interrupts-extended", 2 * i + 1, 0) == cause)
			return i;
	return 0;
}

/* A node on the bus, by what it is compatible with. */
static void read_device(const struct fdt_walk *walk, u32 intc, u64 base, u64 size)
{
	u32 length;
	const char *compatible = fdt_compatible(walk, &length);

	if (compatible == NULL)
		return;
	if (fdt_lists(compatible, length, "virtio,mmio")) {
		add_virtio(walk, base, size);
	} else if (fdt_lists(compatible, length, "ns16550a")) {
		platform.uart = base;
		platform.uart_irq = fdt_cell(walk, "interrupts", 0, 0);
	} else if (fdt_lists(compatible, length, "sifive,test0")) {
		platform.finisher = base;
	} else if (fdt_lists(compatible, length, "riscv,clint0")) {
		platform.clint = base;
		platform.clint_hart = extended_index(walk, intc, IRQ_M_TIMER) / 2;
	} else if (fdt_lists(compatible, length, "riscv,plic0")) {
		platform.plic = base;
		platform.plic_sources = fdt_cell(walk, "riscv,ndev", 0, 0);
		platform.plic_context = extended_index(walk, intc, IRQ_M_EXT);
	}
}

static void read_node(const struct fdt_walk *walk, u32 intc)
{
	u64 base, size;

	if (walk->node.depth == 0) {
		platform.model = fdt_property(walk, "model", NULL);
	} else if (is_named(walk->node.name, "cpus")) {
		platform.timebase = fdt_cell(walk, "timebase-frequency", 0, 0);
	} else if (is_named(walk->node.name, "cpu")) {
		platform.harts++;
	} else if (fdt_reg(walk, 0, &base, &size)) {
		if (is_named(walk->node.name, "memory")) {
			platform.memory_base = base;
			platform.memory_size = size;
		} else {
			read_device(walk, intc, base, size);
		}
	}
}

/* phandle of the interrupt controller inside the cpu node whose reg is `hart`; 0 if there is none. */
static u32 find_intc(const void *fdt, unsigned long hart)
{
	struct fdt_walk walk;
	bool mine = false;

	for (fdt_start(&walk, fdt); fdt_next(&walk);) {
		if (is_named(walk.node.name, "cpu"))
			mine = fdt_cell(&walk, "reg", walk.node.address_cells - 1, ~0u) == hart;
		else if (mine && is_named(walk.node.name, "interrupt-controller"))
			return fdt_cell(&walk, "phandle", 0, 0);
	}
	return 0;
}

bool platform_init(unsigned long hart, const void *fdt)
{
	struct fdt_walk walk;
	u32 intc;

	platform.hart = hart;
	platform.fdt = fdt;
	if (!fdt_valid(fdt)) {
		printf("platform: no device tree at %p\n", fdt);
		return false;
	}
	/* The CLINT and PLIC nodes name the hart's interrupt controller by phandle: find that first. */
	intc = find_intc(fdt, hart);
	for (fdt_start(&walk, fdt); fdt_next(&walk);)
		read_node(&walk, intc);
	if (platform.memory_size == 0 || platform.timebase == 0 || platform.uart == 0 || platform.finisher == 0 ||
	    platform.clint == 0 || platform.plic == 0) {
		printf("platform: device tree lacks memory, timebase, uart, finisher, clint or plic\n");
		return false;
	}
	return true;
}
