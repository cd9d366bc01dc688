/* The virtio bus: who drives what, and the steps from a found device to a live one (virtio 1.2 §3.1.1, §3.1.2). */
#include "virtio.h"
#include "virtio_ring.h"
#include "../generated/virtio_mmio_regs.h"
#include "../lib/printf.h"
#include "../lib/string.h"
#include "../lib/timer.h"
#include "../lib/trap.h"

#define DRIVERS_MAX 16
/* For a device to suspend or resume. */
#define TIMEOUT_US 5000000
/* Times in a row that a device is started again without having answered anything: it would give up every time. */
#define RECOVERIES_MAX 3

extern struct virtio_driver *const __virtio_drivers_start[], *const __virtio_drivers_end[];

static struct virtio_driver *drivers[DRIVERS_MAX];
static struct virtio_device *devices;
static unsigned int next_index;
static u64 denied_features;

void virtio_deny_features(u64 bits)
{
	denied_features = bits;
}

void virtio_add_status(struct virtio_device *dev, unsigned int status)
{
	dev->config->set_status(dev, dev->config->get_status(dev) | status);
}

void virtio_device_ready(struct virtio_device *dev)
{
	u8 status = dev->config->get_status(dev);

	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		panic("%s: made ready twice", dev->name);
	dev->config->set_status(dev, status | VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_reset_device(struct virtio_device *dev)
{
	dev->config->reset(dev);
	dev->suspended = false;
	dev->needs_reset = false;
}

/* ---- Configuration changes: remembered while the driver is not there to hear of them -------------------------- */

void virtio_config_changed(struct virtio_device *dev)
{
	/* §2.1.2: a device that gives up says so by a configuration change. Whoever waits for it sees to the rest. */
	if (dev->config->get_status(dev) & VIRTIO_CONFIG_S_DEVICE_NEEDS_RESET) {
		dev->needs_reset = true;
		return;
	}
	if (!dev->config_enabled)
		dev->config_change_pending = true;
	else if (dev->driver != NULL && dev->driver->config_changed != NULL)
		dev->driver->config_changed(dev);
}

static void config_disable(struct virtio_device *dev)
{
	unsigned long saved = irq_save();

	dev->config_enabled = false;
	irq_restore(saved);
}

static void config_enable(struct virtio_device *dev)
{
	unsigned long saved = irq_save();

	dev->config_enabled = true;
	if (dev->config_change_pending) {
		dev->config_change_pending = false;
		virtio_config_changed(dev);
	}
	irq_restore(saved);
}

/* ---- Probe and remove ---------------------------------------------------------------------------------------- */

static u64 table_bits(const unsigned int *table, unsigned int size)
{
	u64 bits = 0;

	for (unsigned int i = 0; i < size; i++)
		bits |= BIT_ULL(table[i]);
	return bits;
}

/* What both sides know. Transport bits are offered whole; finalize_features keeps those the ring code can do. */
static u64 common_features(const struct virtio_device *dev, u64 offered)
{
	const struct virtio_driver *drv = dev->driver;
	u64 known = table_bits(drv->feature_table, drv->feature_table_size);

	if (!(offered & BIT_ULL(VIRTIO_F_VERSION_1))) {
		if (drv->feature_table_legacy != NULL)
			known = table_bits(drv->feature_table_legacy, drv->feature_table_size_legacy);
		known &= UINT32_MAX;
	}
	return offered & (known | VIRTIO_TRANSPORT_F_MASK) & ~denied_features;
}

/* §3.1.1 steps 5 and 6; a legacy device has no FEATURES_OK (§3.1.2). */
static int features_ok(struct virtio_device *dev)
{
	if (!virtio_has_feature(dev, VIRTIO_F_VERSION_1))
		return 0;
	virtio_add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(dev->config->get_status(dev) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		printf("%s: device refuses features 0x%llx\n", dev->name, dev->features);
		return -ENODEV;
	}
	return 0;
}

static int negotiate(struct virtio_device *dev)
{
	int err;

	dev->features = common_features(dev, dev->config->get_features(dev));
	err = dev->config->finalize_features(dev);
	if (err != 0)
		return err;
	if (dev->driver->validate != NULL) {
		u64 before = dev->features;

		err = dev->driver->validate(dev);
		if (err != 0)
			return err;
		if (dev->features != before)
			err = dev->config->finalize_features(dev);
		if (err != 0)
			return err;
	}
	return features_ok(dev);
}

/* A device its driver cannot use stays without one, marked FAILED; the others go on. */
static void virtio_dev_probe(struct virtio_device *dev, struct virtio_driver *drv)
{
	int err;

	dev->driver = drv;
	virtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	err = negotiate(dev);
	if (err == 0)
		err = drv->probe(dev);
	if (err != 0) {
		virtio_add_status(dev, VIRTIO_CONFIG_S_FAILED);
		dev->driver = NULL;
		printf("%s: %s: probe failed, error %d\n", dev->name, drv->driver.name, err);
		return;
	}
	/* A driver that needs its queues while probing has said so itself. */
	if (!(dev->config->get_status(dev) & VIRTIO_CONFIG_S_DRIVER_OK))
		virtio_device_ready(dev);
	if (drv->scan != NULL)
		drv->scan(dev);
	config_enable(dev);
}

static void virtio_dev_remove(struct virtio_device *dev)
{
	config_disable(dev);
	dev->driver->remove(dev);
	if (dev->config->get_status(dev) != 0)
		panic("%s: %s left it running", dev->name, dev->driver->driver.name);
	dev->driver = NULL;
	/* Back to what it was before: found, not driven. */
	virtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

/* ---- Suspend and resume -------------------------------------------------------------------------------------- */

int virtio_device_freeze(struct virtio_device *dev)
{
	config_disable(dev);
	if (dev->driver != NULL && dev->driver->freeze != NULL)
		return dev->driver->freeze(dev);
	return 0;
}

/* §3.1.1 once more, with the features that were negotiated: what the driver keeps is built on them. */
int virtio_device_restore(struct virtio_device *dev)
{
	int err;

	virtio_reset_device(dev);
	virtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	if (dev->driver == NULL)
		return 0;
	virtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);
	err = dev->config->finalize_features(dev);
	if (err == 0)
		err = features_ok(dev);
	if (err == 0 && dev->driver->restore != NULL)
		err = dev->driver->restore(dev);
	if (err != 0) {
		virtio_add_status(dev, VIRTIO_CONFIG_S_FAILED);
		return err;
	}
	if (!(dev->config->get_status(dev) & VIRTIO_CONFIG_S_DRIVER_OK))
		virtio_device_ready(dev);
	config_enable(dev);
	return 0;
}

/* ---- Recovery ------------------------------------------------------------------------------------------------ */

/* What is asked of the device is what it cannot do: asking once more would end the same way. */
static int give_up(struct virtio_device *dev)
{
	printf("%s: gave up %u times in a row, not started again\n", dev->name, dev->recoveries + 1);
	virtio_break_device(dev);
	virtio_add_status(dev, VIRTIO_CONFIG_S_FAILED);
	return -EIO;
}

static int recover(struct virtio_device *dev)
{
	struct virtio_driver *drv = dev->driver;
	unsigned long saved = irq_save();
	int err;

	config_disable(dev);
	dev->needs_reset = false;
	/* What was used before counts; no interrupt will tell of it. */
	for (struct virtqueue *vq = dev->vqs; vq != NULL; vq = vq->next)
		vring_interrupt(vq);
	irq_restore(saved);
	if (drv->reset_prepare == NULL)
		return -EIO;
	if (dev->recoveries == RECOVERIES_MAX)
		return give_up(dev);
	dev->recoveries++;
	err = drv->reset_prepare(dev);
	if (err == 0)
		err = virtio_device_restore(dev);
	if (err == 0 && drv->reset_done != NULL)
		err = drv->reset_done(dev);
	return err;
}

int virtio_wait(struct virtio_device *dev, const volatile bool *flag, u64 microseconds)
{
	int err;

	for (;;) {
		dev->event = false;
		if (*flag)
			return 1;
		if (dev->needs_reset) {
			err = recover(dev);
			return err != 0 ? err : -EAGAIN;
		}
		if (!wait_flag(&dev->event, microseconds))
			return *flag;
	}
}

/* ---- Suspension ---------------------------------------------------------------------------------------------- */

/* Waits until the status shows `on` and not `off` (virtio 1.4 §3.4.1). */
static int await_status(struct virtio_device *dev, u8 on, u8 off)
{
	u64 end = timer_now() + timer_ticks(TIMEOUT_US);

	do {
		u8 status = dev->config->get_status(dev);

		if (status & VIRTIO_CONFIG_S_DEVICE_NEEDS_RESET)
			return -EIO;
		if ((status & (on | off)) == on)
			return 0;
	} while (timer_now() < end);
	return -ETIMEDOUT;
}

int virtio_device_suspend(struct virtio_device *dev)
{
	if (!virtio_has_feature(dev, VIRTIO_F_SUSPEND))
		return -ENOTSUP;
	dev->suspended = true;
	/* What is used until SUSPEND shows comes by interrupt, as always. DRIVER_OK is the device's to clear. */
	virtio_add_status(dev, VIRTIO_CONFIG_S_SUSPEND);
	return await_status(dev, VIRTIO_CONFIG_S_SUSPEND, VIRTIO_CONFIG_S_DRIVER_OK);
}

int virtio_device_resume(struct virtio_device *dev)
{
	u8 status = dev->config->get_status(dev);
	int err;

	dev->config->set_status(dev, (status & ~VIRTIO_CONFIG_S_SUSPEND) | VIRTIO_CONFIG_S_DRIVER_OK);
	err = await_status(dev, VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_SUSPEND);
	if (err == 0)
		dev->suspended = false;
	return err;
}

static bool virtio_dev_match(const struct virtio_device *dev, const struct virtio_driver *drv)
{
	for (const struct virtio_device_id *id = drv->id_table; id->device != 0; id++)
		if ((id->device == dev->id.device || id->device == VIRTIO_DEV_ANY_ID) &&
		    (id->vendor == dev->id.vendor || id->vendor == VIRTIO_DEV_ANY_ID))
			return true;
	return false;
}

/* ---- The bus ------------------------------------------------------------------------------------------------- */

int register_virtio_driver(struct virtio_driver *drv)
{
	unsigned int i = 0;

	while (i < DRIVERS_MAX && drivers[i] != NULL)
		i++;
	if (i == DRIVERS_MAX)
		return -ENOMEM;
	drivers[i] = drv;
	for (struct virtio_device *dev = devices; dev != NULL; dev = dev->next)
		if (dev->driver == NULL && virtio_dev_match(dev, drv))
			virtio_dev_probe(dev, drv);
	return 0;
}

void unregister_virtio_driver(struct virtio_driver *drv)
{
	for (struct virtio_device *dev = devices; dev != NULL; dev = dev->next)
		if (dev->driver == drv)
			virtio_dev_remove(dev);
	for (unsigned int i = 0; i < DRIVERS_MAX; i++)
		if (drivers[i] == drv)
			drivers[i] = NULL;
}

/* "virtio0" to "virtio99" */
static void set_name(struct virtio_device *dev)
{
	char *end = memcpy(dev->name, "virtio", 6);

	end += 6;
	if (dev->index >= 10)
		*end++ = (char)('0' + dev->index / 10 % 10);
	*end++ = (char)('0' + dev->index % 10);
	*end = '\0';
}

void register_virtio_device(struct virtio_device *dev)
{
	struct virtio_device **end = &devices;

	dev->index = next_index++;
	set_name(dev);
	/* §3.1.1 steps 1 and 2: whoever used it before, it starts from nothing. */
	virtio_reset_device(dev);
	virtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	while (*end != NULL)
		end = &(*end)->next;
	dev->next = NULL;
	*end = dev;
	for (unsigned int i = 0; i < DRIVERS_MAX; i++)
		if (drivers[i] != NULL && dev->driver == NULL && virtio_dev_match(dev, drivers[i]))
			virtio_dev_probe(dev, drivers[i]);
}

void unregister_virtio_device(struct virtio_device *dev)
{
	struct virtio_device **link = &devices;

	if (dev->driver != NULL)
		virtio_dev_remove(dev);
	while (*link != dev)
		link = &(*link)->next;
	*link = dev->next;
}

struct virtio_device *virtio_next_device(struct virtio_device *dev)
{
	return dev == NULL ? devices : dev->next;
}

void virtio_bus_init(void)
{
	for (struct virtio_driver *const *drv = __virtio_drivers_start; drv < __virtio_drivers_end; drv++)
		if (register_virtio_driver(*drv) != 0)
			panic("cannot register %s", (*drv)->driver.name);
}

struct virtqueue *virtio_find_single_vq(struct virtio_device *vdev, vq_callback_t *callback, const char *name)
{
	const struct virtqueue_info info = { .name = name, .callback = callback };
	struct virtqueue *vq;

	return virtio_find_vqs(vdev, 1, &vq, &info) == 0 ? vq : NULL;
}
