#include "uart.h"
#include "../generated/board.h"
#include "io.h"

/* Registers of a 16550 with byte spacing. */
enum {
	UART_RBR = 0, /* receive buffer (read) */
	UART_THR = 0, /* transmit holding (write) */
	UART_IER = 1, /* interrupt enable */
	UART_FCR = 2, /* FIFO control (write) */
	UART_LCR = 3, /* line control */
	UART_LSR = 5, /* line status */
};

#define UART_IER_RECEIVE 0x01
#define UART_FCR_ENABLE_CLEAR 0x07
#define UART_LCR_8N1 0x03
#define UART_LSR_DATA_READY 0x01
#define UART_LSR_THR_EMPTY 0x20

static uintptr_t uart = BOARD_UART_BASE;

void uart_init(uintptr_t base)
{
	uart = base;
	writeb(0, uart + UART_IER);
	writeb(UART_LCR_8N1, uart + UART_LCR);
	writeb(UART_FCR_ENABLE_CLEAR, uart + UART_FCR);
}

void uart_write(const char *text, size_t length)
{
	for (; length > 0; length--) {
		while (!(readb(uart + UART_LSR) & UART_LSR_THR_EMPTY))
			;
		writeb(*text++, uart + UART_THR);
	}
}

int uart_getc(void)
{
	if (!(readb(uart + UART_LSR) & UART_LSR_DATA_READY))
		return -1;
	return readb(uart + UART_RBR);
}

void uart_receive_interrupt(bool on)
{
	writeb(on ? UART_IER_RECEIVE : 0, uart + UART_IER);
}
