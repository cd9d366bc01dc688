/*
 * The MMIO transport, version 2 and version 1 (legacy), in the order of accesses that Linux's drivers have made
 * customary (virtio 1.2 §4.2.3, §4.2.4).
 */
#include "virtio_mmio.h"
#include "virtio_ring.h"
#include "../generated/virtio_mmio_regs.h"
#include "../lib/alloc.h"
#include "../lib/io.h"
#include "../lib/platform.h"
#include "../lib/plic.h"
#include "../lib/string.h"

/* Alignment of the used ring: what legacy devices are told; modern ones do not care. */
#define VIRTIO_MMIO_VRING_ALIGN PAGE_SIZE

struct virtio_mmio_device {
	struct virtio_device vdev;
	uintptr_t base;
	u32 irq;
	u32 version;
};

static struct virtio_mmio_device *to_vm(const struct virtio_device *vdev)
{
	return container_of(vdev, struct virtio_mmio_device, vdev);
}

static bool legacy(const struct virtio_mmio_device *vm)
{
	return vm->version == 1;
}

static u32 vm_readl(const struct virtio_mmio_device *vm, u32 reg)
{
	return readl(vm->base + reg);
}

static void vm_writel(const struct virtio_mmio_device *vm, u32 reg, u32 value)
{
	writel(value, vm->base + reg);
}

/* ---- Features (§2.2, §4.2.2) --------------------------------------------------------------------------------- */

static u64 vm_get_features(struct virtio_device *vdev)
{
	struct virtio_mmio_device *vm = to_vm(vdev);
	u64 features;

	vm_writel(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	features = (u64)vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	vm_writel(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return features | vm_readl(vm, VIRTIO_MMIO_DEVICE_FEATURES);
}

static int vm_finalize_features(struct virtio_device *vdev)
{
	struct virtio_mmio_device *vm = to_vm(vdev);

	vring_transport_features(vdev);
	/* §6.1: a modern device is driven with VERSION_1 or not at all. */
	if (!legacy(vm) && !virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return -EINVAL;
	vm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev->features >> 32));
	vm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vm_writel(vm, VIRTIO_MMIO_DRIVER_FEATURES, (u32)vdev->features);
	return 0;
}

/* ---- Configuration space ------------------------------------------------------------------------------------- */

static void vm_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	struct virtio_mmio_device *vm = to_vm(vdev);
	uintptr_t config = vm->base + VIRTIO_MMIO_CONFIG + offset;
	u8 *bytes = buf;

	if (legacy(vm)) {
		/* §4.2.4: any width is allowed there, and bytes are right for every field. */
		for (unsigned int i = 0; i < len; i++)
			bytes[i] = readb(config + i);
		return;
	}
	/* §4.2.2.2: as wide as the field, 64 bits as two halves. */
	for (unsigned int i = 0; i < len; i += 4) {
		u32 value;

		switch (len) {
		case 1:
			bytes[0] = readb(config);
			break;
		case 2:
			value = readw(config);
			memcpy(bytes, &value, 2);
			break;
		default:
			value = readl(config + i);
			memcpy(bytes + i, &value, 4);
			break;
		}
	}
}

static void vm_set(struct virtio_device *vdev, unsigned int offset, const void *buf, unsigned int len)
{
	struct virtio_mmio_device *vm = to_vm(vdev);
	uintptr_t config = vm->base + VIRTIO_MMIO_CONFIG + offset;
	const u8 *bytes = buf;

	if (legacy(vm)) {
		for (unsigned int i = 0; i < len; i++)
			writeb(bytes[i], config + i);
		return;
	}
	for (unsigned int i = 0; i < len; i += 4) {
		u32 value = 0;

		memcpy(&value, bytes + i, len < 4 ? len : 4);
		if (len == 1)
			writeb((u8)value, config);
		else if (len == 2)
			writew((u16)value, config);
		else
			writel(value, config + i);
	}
}

static u32 vm_generation(struct virtio_device *vdev)
{
	struct virtio_mmio_device *vm = to_vm(vdev);

	return legacy(vm) ? 0 : vm_readl(vm, VIRTIO_MMIO_CONFIG_GENERATION);
}

/* ---- Status (§2.1) ------------------------------------------------------------------------------------------- */

static u8 vm_get_status(struct virtio_device *vdev)
{
	return (u8)vm_readl(to_vm(vdev), VIRTIO_MMIO_STATUS);
}

/* Never 0: that would be a reset. */
static void vm_set_status(struct virtio_device *vdev, u8 status)
{
	vm_writel(to_vm(vdev), VIRTIO_MMIO_STATUS, status);
}

static void vm_reset(struct virtio_device *vdev)
{
	vm_writel(to_vm(vdev), VIRTIO_MMIO_STATUS, 0);
}

/* ---- Queues and interrupts ----------------------------------------------------------------------------------- */

static bool vm_notify(struct virtqueue *vq)
{
	vm_writel(to_vm(vq->vdev), VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
	return true;
}

/* §4.2.3.3 with NOTIFICATION_DATA */
static bool vm_notify_with_data(struct virtqueue *vq)
{
	vm_writel(to_vm(vq->vdev), VIRTIO_MMIO_QUEUE_NOTIFY, vring_notification_data(vq));
	return true;
}

/* §4.2.3.4: acknowledge first, so that what the device uses while we look raises the line again. */
static void vm_interrupt(u32 irq, void *data)
{
	struct virtio_mmio_device *vm = data;
	u32 status = vm_readl(vm, VIRTIO_MMIO_INTERRUPT_STATUS);

	(void)irq;
	vm_writel(vm, VIRTIO_MMIO_INTERRUPT_ACK, status);
	if (status & VIRTIO_MMIO_INT_CONFIG_CHANGE)
		virtio_config_changed(&vm->vdev);
	if (status & VIRTIO_MMIO_INT_USED_BUFFER)
		for (struct virtqueue *vq = vm->vdev.vqs; vq != NULL; vq = vq->next)
			vring_interrupt(vq);
	vm->vdev.event = true;
}

static void write_address(struct virtio_mmio_device *vm, u32 low, u32 high, u64 address)
{
	vm_writel(vm, low, (u32)address);
	vm_writel(vm, high, (u32)(address >> 32));
}

/* §4.2.4 */
static int vm_activate_legacy(struct virtio_mmio_device *vm, struct virtqueue *vq)
{
	u64 pfn = virtqueue_get_desc_addr(vq) / PAGE_SIZE;

	if (pfn > UINT32_MAX)
		return -E2BIG;
	vm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq));
	vm_writel(vm, VIRTIO_MMIO_QUEUE_ALIGN, VIRTIO_MMIO_VRING_ALIGN);
	vm_writel(vm, VIRTIO_MMIO_QUEUE_PFN, (u32)pfn);
	return 0;
}

/* §4.2.3.2, the last steps: size and places, then ready. The queue is selected. */
static void vm_activate(struct virtio_mmio_device *vm, struct virtqueue *vq)
{
	vm_writel(vm, VIRTIO_MMIO_QUEUE_NUM, virtqueue_get_vring_size(vq));
	write_address(vm, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, virtqueue_get_desc_addr(vq));
	write_address(vm, VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DRIVER_HIGH, virtqueue_get_avail_addr(vq));
	write_address(vm, VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH, virtqueue_get_used_addr(vq));
	vm_writel(vm, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* §4.2.3.2 and, for legacy, §4.2.4. */
static int vm_setup_vq(struct virtio_mmio_device *vm, unsigned int index, const struct virtqueue_info *info,
		       struct virtqueue **vq)
{
	bool with_data = virtio_has_feature(&vm->vdev, VIRTIO_F_NOTIFICATION_DATA);
	int err = 0;
	u32 num;

	vm_writel(vm, VIRTIO_MMIO_QUEUE_SEL, index);
	if (vm_readl(vm, legacy(vm) ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY) != 0)
		return -ENOENT;
	num = vm_readl(vm, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (num == 0)
		return -ENOENT;
	*vq = vring_create_virtqueue(index, num, VIRTIO_MMIO_VRING_ALIGN, &vm->vdev,
				     with_data ? vm_notify_with_data : vm_notify, info->callback, info->name);
	if (*vq == NULL)
		return -ENOMEM;
	if (legacy(vm))
		err = vm_activate_legacy(vm, *vq);
	else
		vm_activate(vm, *vq);
	if (err != 0)
		vring_del_virtqueue(*vq);
	return err;
}

static void vm_del_vq(struct virtio_mmio_device *vm, struct virtqueue *vq)
{
	vm_writel(vm, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	if (legacy(vm)) {
		vm_writel(vm, VIRTIO_MMIO_QUEUE_PFN, 0);
	} else {
		vm_writel(vm, VIRTIO_MMIO_QUEUE_READY, 0);
		/* §4.2.2.2: not before it reads back 0 may the memory be reused. */
		while (vm_readl(vm, VIRTIO_MMIO_QUEUE_READY) != 0)
			;
	}
	vring_del_virtqueue(vq);
}

/* §2.6.1, §4.2.2.2: the device has let go of the queue when QueueReset reads 0 again. */
static int vm_disable_vq_and_reset(struct virtqueue *vq)
{
	struct virtio_mmio_device *vm = to_vm(vq->vdev);

	if (!virtio_has_feature(vq->vdev, VIRTIO_F_RING_RESET))
		return -ENOENT;
	/* An interrupt that was on its way finds nothing here. */
	__virtqueue_break(vq);
	vm_writel(vm, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	vm_writel(vm, VIRTIO_MMIO_QUEUE_RESET, 1);
	while (vm_readl(vm, VIRTIO_MMIO_QUEUE_RESET) != 0)
		;
	/* QEMU offers the feature here and does not do it: then QueueReady says that the device keeps the queue. */
	if (vm_readl(vm, VIRTIO_MMIO_QUEUE_READY) != 0) {
		__virtqueue_unbreak(vq);
		return -EIO;
	}
	vq->reset = true;
	return 0;
}

static int vm_enable_vq_after_reset(struct virtqueue *vq)
{
	struct virtio_mmio_device *vm = to_vm(vq->vdev);

	if (!vq->reset)
		return -EBUSY;
	vm_writel(vm, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	vm_activate(vm, vq);
	vq->reset = false;
	__virtqueue_unbreak(vq);
	return 0;
}

static void vm_del_vqs(struct virtio_device *vdev)
{
	struct virtio_mmio_device *vm = to_vm(vdev);

	while (vdev->vqs != NULL)
		vm_del_vq(vm, vdev->vqs);
	free_irq(vm->irq);
}

static int vm_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		       const struct virtqueue_info info[])
{
	struct virtio_mmio_device *vm = to_vm(vdev);
	int err = request_irq(vm->irq, vm_interrupt, vm);

	if (err != 0)
		return err;
	for (unsigned int i = 0, index = 0; i < nvqs; i++) {
		vqs[i] = NULL;
		if (info[i].name == NULL)
			continue;
		err = vm_setup_vq(vm, index++, &info[i], &vqs[i]);
		if (err != 0) {
			vm_del_vqs(vdev);
			return err;
		}
	}
	return 0;
}

static const char *vm_bus_name(struct virtio_device *vdev)
{
	(void)vdev;
	return "virtio-mmio";
}

static const struct virtio_config_ops virtio_mmio_config_ops = {
	.get = vm_get,
	.set = vm_set,
	.generation = vm_generation,
	.get_status = vm_get_status,
	.set_status = vm_set_status,
	.reset = vm_reset,
	.find_vqs = vm_find_vqs,
	.del_vqs = vm_del_vqs,
	.disable_vq_and_reset = vm_disable_vq_and_reset,
	.enable_vq_after_reset = vm_enable_vq_after_reset,
	.get_features = vm_get_features,
	.finalize_features = vm_finalize_features,
	.bus_name = vm_bus_name,
};

/* ---- Discovery (§4.2.1, §4.2.3.1) ---------------------------------------------------------------------------- */

static bool virtio_mmio_probe(uintptr_t base, u32 irq)
{
	struct virtio_mmio_device *vm;
	u32 version, device;

	if (readl(base + VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC)
		return false;
	version = readl(base + VIRTIO_MMIO_VERSION);
	if (version != 1 && version != 2)
		return false;
	device = readl(base + VIRTIO_MMIO_DEVICE_ID);
	if (device == 0)
		return false;
	vm = kzalloc(sizeof(*vm));
	if (vm == NULL)
		return false;
	vm->base = base;
	vm->irq = irq;
	vm->version = version;
	vm->vdev.config = &virtio_mmio_config_ops;
	vm->vdev.id.device = device;
	vm->vdev.id.vendor = vm_readl(vm, VIRTIO_MMIO_VENDOR_ID);
	if (legacy(vm))
		vm_writel(vm, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
	register_virtio_device(&vm->vdev);
	return true;
}

unsigned int virtio_mmio_init(void)
{
	unsigned int found = 0;

	for (u32 i = 0; i < platform.virtio_count; i++)
		found += virtio_mmio_probe(platform.virtio[i].base, platform.virtio[i].irq);
	return found;
}

int virtio_mmio_freeze(struct virtio_device *vdev)
{
	return virtio_device_freeze(vdev);
}

int virtio_mmio_restore(struct virtio_device *vdev)
{
	if (legacy(to_vm(vdev)))
		vm_writel(to_vm(vdev), VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
	return virtio_device_restore(vdev);
}

u32 virtio_mmio_version(const struct virtio_device *vdev)
{
	return to_vm(vdev)->version;
}

uintptr_t virtio_mmio_base(const struct virtio_device *vdev)
{
	return to_vm(vdev)->base;
}
