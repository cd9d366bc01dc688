/*
 * Echoes UART input, received by interrupt, until a line `.` or end-of-transmission (Ctrl-D), or until nothing came
 * for two seconds: standard input that is empty or at its end does not hang it.
 */
#include "../lib/lib.h"

#define PATIENCE_US 2000000
#define END_OF_TRANSMISSION 4

static volatile char ring[256];
static volatile u8 head, tail; /* wrap with the ring */
static volatile bool arrived;

static void on_receive(u32 irq, void *data)
{
	int c;

	(void)irq;
	(void)data;
	while ((c = uart_getc()) >= 0) {
		if ((u8)(head + 1) != tail)
			ring[head++] = (char)c;
		arrived = true;
	}
}

/* Next byte, or -1 after PATIENCE_US without any. */
static int next(void)
{
	while (head == tail) {
		arrived = false;
		if (head == tail && !wait_flag(&arrived, PATIENCE_US))
			return -1;
	}
	return (u8)ring[tail++];
}

int main(void)
{
	char line[128];
	unsigned length = 0, lines = 0;
	int c;

	printf("uart_echo: RV%d, end with a line `.` or Ctrl-D\n", __riscv_xlen);
	CHECK(request_irq(platform.uart_irq, on_receive, NULL) == 0);
	uart_receive_interrupt(true);
	while ((c = next()) >= 0 && c != END_OF_TRANSMISSION) {
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
	uart_receive_interrupt(false);
	free_irq(platform.uart_irq);
	printf("%u lines echoed, %s\n", lines, c < 0 ? "no more input" : "ended");
	return 0;
}
