#include "printf.h"
#include "string.h"
#include "uart.h"

/* Output is gathered so that a virtio console gets lines, not characters. */
static struct {
	char text[128];
	size_t length;
} out;
static console_write_t *console = NULL;

static void flush(void)
{
	size_t length = out.length;

	out.length = 0;
	if (length == 0)
		return;
	if (console != NULL)
		console(out.text, length);
	else
		uart_write(out.text, length);
}

static void put(char c)
{
	out.text[out.length++] = c;
	if (out.length == sizeof(out.text))
		flush();
}

console_write_t *console_set(console_write_t *write)
{
	console_write_t *old = console;

	flush();
	console = write;
	return old;
}

struct spec {
	bool left;
	bool zeros;
	unsigned width;
};

static void put_padded(const struct spec *spec, const char *text, size_t length)
{
	size_t pad = spec->width > length ? spec->width - length : 0;

	/* A sign goes before padding zeros. */
	if (spec->zeros && !spec->left && length > 0 && *text == '-') {
		put(*text++);
		length--;
	}
	if (!spec->left)
		for (; pad > 0; pad--)
			put(spec->zeros ? '0' : ' ');
	for (; length > 0; length--)
		put(*text++);
	for (; pad > 0; pad--)
		put(' ');
}

static void put_number(const struct spec *spec, u64 value, unsigned base, bool negative)
{
	char text[24], *p = text + sizeof(text);

	/* 32-bit division where it suffices: RV32 has no 64-bit one. */
	while (value > UINT32_MAX) {
		*--p = "0123456789abcdef"[value % base];
		value /= base;
	}
	for (u32 low = value; low != 0 || p == text + sizeof(text); low /= base)
		*--p = "0123456789abcdef"[low % base];
	if (negative)
		*--p = '-';
	put_padded(spec, p, text + sizeof(text) - p);
}

static void put_conversion(char conversion, const struct spec *spec, unsigned longs, va_list *args)
{
	u64 value;

	switch (conversion) {
	case 'd':
	case 'i': {
		long long number = longs == 2	? va_arg(*args, long long)
				   : longs == 1 ? va_arg(*args, long)
						: va_arg(*args, int);
		put_number(spec, number < 0 ? 0 - (u64)number : (u64)number, 10, number < 0);
		break;
	}
	case 'u':
	case 'x':
		value = longs == 2   ? va_arg(*args, unsigned long long)
			: longs == 1 ? va_arg(*args, unsigned long)
				     : va_arg(*args, unsigned);
		put_number(spec, value, conversion == 'u' ? 10 : 16, false);
		break;
	case 'p':
		put('0');
		put('x');
		put_number(&(struct spec){ .zeros = true, .width = 2 * sizeof(void *) }, va_arg(*args, uintptr_t), 16,
			   false);
		break;
	case 's': {
		const char *text = va_arg(*args, const char *);

		if (text == NULL)
			text = "(null)";
		put_padded(spec, text, strlen(text));
		break;
	}
	case 'c':
		put((char)va_arg(*args, int));
		break;
	default:
		put('%');
		if (conversion != '%')
			put(conversion);
	}
}

void vprintf(const char *format, va_list list)
{
	va_list args;

	va_copy(args, list);
	for (; *format != '\0'; format++) {
		struct spec spec = { 0 };
		unsigned longs = 0;

		if (*format != '%') {
			put(*format);
			continue;
		}
		for (format++; *format == '-' || *format == '0'; format++) {
			spec.left |= *format == '-';
			spec.zeros |= *format == '0';
		}
		for (; *format >= '0' && *format <= '9'; format++)
			spec.width = spec.width * 10 + (*format - '0');
		for (; *format == 'l' || *format == 'z'; format++)
			longs++;
		if (*format == '\0')
			break;
		put_conversion(*format, &spec, longs, &args);
	}
	va_end(args);
	flush();
}

void printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}
