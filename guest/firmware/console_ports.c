/*
 * A console with several ports (MULTIPORT): which there are, by the messages on the control queues; on each that is no
 * console a line out and a line back, on the console what was seen.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"

#define LINE_MAX 80

static void print_port(struct port *port)
{
	printf("  port %u: %s, \"%s\", the other end is %s\n", port_id(port),
	       port_is_console(port) ? "console" : "channel", port_name(port),
	       port_host_connected(port) ? "open" : "closed");
}

/* Reads to the end of the line, or as long as something comes. */
static unsigned int read_line(struct port *port, char *line)
{
	unsigned int length = 0;
	int c;

	while (length < LINE_MAX && (c = port_getc(port, 2000000)) >= 0 && c != '\n')
		line[length++] = (char)c;
	line[length] = '\0';
	return length;
}

static int talk(struct port *port)
{
	char line[LINE_MAX + 1];

	port_open(port, true);
	CHECK(port_write(port, "hello from the guest\n", 21) == 0);
	if (read_line(port, line) == 0) {
		printf("  port %u: nothing came\n", port_id(port));
	} else {
		CHECK(port_write(port, line, strlen(line)) == 0 && port_write(port, "\n", 1) == 0);
		printf("  port %u: read \"%s\", and sent it back\n", port_id(port), line);
	}
	port_open(port, false);
	return 0;
}

int main(void)
{
	static const volatile bool never;
	unsigned int found = 0;

	printf("console_ports: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	if (virtcons_vdev() == NULL) {
		printf("console_ports: no console\n");
		return 1;
	}
	printf("console_ports: ");
	virtio_print_features(virtcons_vdev());
	if (!virtio_has_feature(virtcons_vdev(), VIRTIO_CONSOLE_F_MULTIPORT)) {
		printf("console_ports: MULTIPORT is not offered, one port\n");
		virtcons_write("the only port\n", 14);
		return 0;
	}
	/* The messages come when they come, and once more from a device that has given up meanwhile. */
	while (virtio_wait(virtcons_vdev(), &never, 100000) == -EAGAIN)
		;
	for (u32 id = 0; id < VIRTCONS_PORTS_MAX; id++) {
		struct port *port = virtcons_port(id);

		if (port == NULL)
			continue;
		found++;
		print_port(port);
		if (!port_is_console(port) && talk(port))
			return 1;
	}
	CHECK(found > 0);
	virtcons_write("a console among ports\n", 22);
	printf("console_ports: %u ports\n", found);
	return 0;
}
