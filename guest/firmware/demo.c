/*
 * The tour: finds the machine and its virtio devices through the device tree, drives console, disk and entropy
 * through their queues with every completion by interrupt, takes the disk's driver away and binds it again.
 *
 * It asks for a line on the virtio console and goes on after three seconds without one, so an empty or closed input
 * does not hang it. Devices that are missing are skipped with a word. The disk's contents are put back.
 */
#include "../generated/virtio_mmio_regs.h"
#include "../lib/fdt.h"
#include "../lib/lib.h"
#include "../virtio/virtio_blk.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"
#include "../virtio/virtio_rng.h"

#define PATIENCE_US 3000000
#define SECTORS 4

static void machine(void)
{
	struct fdt_walk walk;
	unsigned int nodes = 0;

	for (fdt_start(&walk, platform.fdt); fdt_next(&walk);)
		nodes++;
	printf("machine   %s, RV%d, %u hart%s, %llu MiB at 0x%llx\n", platform.model, __riscv_xlen, platform.harts,
	       platform.harts == 1 ? "" : "s", platform.memory_size >> 20, platform.memory_base);
	printf("          device tree of %u nodes: uart 0x%lx irq %u, plic 0x%lx with %u sources, clint 0x%lx at %u Hz\n",
	       nodes, platform.uart, platform.uart_irq, platform.plic, platform.plic_sources, platform.clint,
	       platform.timebase);
}

static void slots(void)
{
	for (u32 i = 0; i < platform.virtio_count; i++) {
		unsigned long base = platform.virtio[i].base;

		printf("slot %u    0x%lx irq %u: MagicValue 0x%x Version %u DeviceID %u VendorID 0x%x\n", i, base,
		       platform.virtio[i].irq, readl(base + VIRTIO_MMIO_MAGIC_VALUE), readl(base + VIRTIO_MMIO_VERSION),
		       readl(base + VIRTIO_MMIO_DEVICE_ID), readl(base + VIRTIO_MMIO_VENDOR_ID));
	}
}

static int timer(void)
{
	u64 start = timer_now();

	sleep_us(1000);
	CHECK(timer_now() - start >= timer_ticks(1000));
	printf("timer     slept a millisecond, woken by interrupt\n");
	return 0;
}

static void drivers(void)
{
	virtio_bus_init();
	virtio_mmio_init();
	for (struct virtio_device *dev = virtio_next_device(NULL); dev != NULL; dev = virtio_next_device(dev)) {
		printf("%s   device %u on %s version %u: ", dev->name, dev->id.device, dev->config->bus_name(dev),
		       virtio_mmio_version(dev));
		if (dev->driver == NULL)
			printf("no driver\n");
		else
			printf("%s, features 0x%llx, status 0x%x\n", dev->driver->driver.name, dev->features,
			       dev->config->get_status(dev));
	}
}

static int console(void)
{
	char line[64];
	unsigned int length = 0;
	u16 cols, rows;
	int c;

	if (virtcons_vdev() == NULL) {
		printf("console   not present\n");
		return 0;
	}
	console_set(virtcons_write);
	printf("console   this line came through a virtqueue\n");
	/* The size is the host's affair and not printed. */
	if (virtcons_size(&cols, &rows))
		printf("console   it says how large it is\n");
	printf("console   type a line: ");
	while ((c = virtcons_getc(PATIENCE_US)) >= 0 && c != '\r' && c != '\n')
		if (c >= ' ' && length < sizeof(line) - 1)
			line[length++] = (char)c;
	line[length] = '\0';
	printf("\n");
	if (length == 0)
		printf("console   no input\n");
	else
		printf("console   you typed: %s\n", line);
	CHECK(virtcons_output_interrupts() > 0);
	CHECK((virtcons_input_interrupts() > 0) == (length > 0 || c >= 0));
	return 0;
}

static void pattern(u8 *bytes, u32 seed)
{
	for (unsigned int i = 0; i < SECTORS * SECTOR_SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = seed >> 24;
	}
}

static int disk(const char *when)
{
	static u8 before[SECTORS * SECTOR_SIZE], wrote[SECTORS * SECTOR_SIZE], read[SECTORS * SECTOR_SIZE];
	struct virtio_blk *vblk = virtblk_get(0);
	unsigned int interrupts, requests = 2;
	u64 sector;

	if (vblk == NULL) {
		printf("disk      not present\n");
		return 0;
	}
	CHECK(virtblk_capacity(vblk) >= SECTORS);
	interrupts = virtblk_interrupts(vblk);
	sector = virtblk_capacity(vblk) - SECTORS;
	CHECK(virtblk_read(vblk, sector, before, SECTORS) == 0);
	if (virtblk_read_only(vblk)) {
		CHECK(virtblk_write(vblk, sector, before, SECTORS) == -EIO);
		printf("disk      %s: %llu sectors, read-only: read, and a write refused\n", when,
		       virtblk_capacity(vblk));
	} else {
		pattern(wrote, 1);
		CHECK(virtblk_write(vblk, sector, wrote, SECTORS) == 0);
		CHECK(virtblk_flush(vblk) == 0);
		CHECK(virtblk_read(vblk, sector, read, SECTORS) == 0);
		CHECK(memcmp(read, wrote, sizeof(read)) == 0);
		CHECK(virtblk_write(vblk, sector, before, SECTORS) == 0);
		requests = 5;
		printf("disk      %s: %llu sectors: written, flushed, read back, verified, restored\n", when,
		       virtblk_capacity(vblk));
	}
	if (!virtio_has_feature(virtblk_vdev(vblk), VIRTIO_BLK_F_FLUSH) && requests == 5)
		requests--;
	/* One at a time, each ends with an interrupt. */
	CHECK(virtblk_interrupts(vblk) - interrupts >= requests);
	return 0;
}

static int entropy(void)
{
	u8 first[16] = { 0 }, second[16] = { 0 };
	int a, b;

	if (virtrng_vdev() == NULL) {
		printf("entropy   not present\n");
		return 0;
	}
	a = virtrng_read(first, sizeof(first));
	b = virtrng_read(second, sizeof(second));
	CHECK(a > 0 && b > 0);
	CHECK(virtrng_interrupts() == 2);
	/* Equal by chance once in 2^128 for full buffers; short ones prove nothing. */
	CHECK(a < 16 || b < 16 || memcmp(first, second, sizeof(first)) != 0);
	printf("entropy   two reads, different bytes\n");
	return 0;
}

static int second_probe(void)
{
	struct virtio_device *dev;
	size_t in_use;

	if (virtblk_get(0) == NULL)
		return 0;
	dev = virtblk_vdev(virtblk_get(0));
	/* Not a word in between: the console needs memory of its own. */
	in_use = alloc_in_use();
	unregister_virtio_driver(virtblk_driver());
	CHECK(virtblk_get(0) == NULL && dev->driver == NULL && dev->vqs == NULL);
	CHECK(dev->config->get_status(dev) == VIRTIO_CONFIG_S_ACKNOWLEDGE);
	CHECK(alloc_in_use() < in_use);
	CHECK(register_virtio_driver(virtblk_driver()) == 0);
	CHECK(virtblk_get(0) != NULL && alloc_in_use() == in_use);
	printf("remove    %s was without a driver, its memory was free, and it has one again\n", dev->name);
	return disk("second probe");
}

int main(void)
{
	printf("Ringside guest demo\n");
	machine();
	slots();
	if (timer() != 0)
		return 1;
	drivers();
	if (console() != 0 || disk("first probe") != 0 || entropy() != 0 || second_probe() != 0)
		return 1;
	printf("interrupts  %s\n", plic_handled() > 0 ? "all completions came by the PLIC" : "none");
	return 0;
}
