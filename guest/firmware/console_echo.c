/*
 * Echoes lines typed on the virtio console, until a line `.` or Ctrl-D, or until nothing came for two seconds: input
 * that is empty or at its end does not hang it. First, one line by emergency write, before any queue is used.
 */
#include "../lib/lib.h"
#include "../virtio/virtio_console.h"
#include "../virtio/virtio_mmio.h"

#define PATIENCE_US 2000000
#define END_OF_TRANSMISSION 4

int main(void)
{
	char line[128];
	unsigned int length = 0, lines = 0;
	int c;

	printf("console_echo: RV%d\n", __riscv_xlen);
	virtio_bus_init();
	virtio_mmio_init();
	if (virtcons_vdev() == NULL) {
		printf("console_echo: no virtio console\n");
		return 1;
	}
	for (const char *text = "emergency write\n"; *text != '\0'; text++)
		if (!virtcons_emerg_write(*text)) {
			printf("console_echo: no emergency write\n");
			break;
		}
	console_set(virtcons_write);
	printf("console_echo: end with a line `.` or Ctrl-D\n");
	while ((c = virtcons_getc(PATIENCE_US)) >= 0 && c != END_OF_TRANSMISSION) {
		if (c == '\r')
			c = '\n';
		if (c != '\n') {
			if (length < sizeof(line) - 1)
				line[length++] = (char)c;
			continue;
		}
		line[length] = '\0';
		if (strcmp(line, ".") == 0)
			break;
		printf("%s\n", line);
		length = 0;
		lines++;
	}
	printf("%u lines echoed, %s\n", lines, c < 0 ? "no more input" : "ended");
	return 0;
}
