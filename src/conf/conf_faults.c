#include <stdarg.h>

#include "conf/conf.h"

static void report(struct conf_faults *f, const char *kind, const char *file, int line,
	const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static void report(struct conf_faults *f, const char *kind, const char *file, int line,
	const char *fmt, va_list ap)
{
	if (f->to == NULL)
		return;
	if (file != NULL && line > 0)
		fprintf(f->to, "%s:%d: ", file, line);
	else if (file != NULL)
		fprintf(f->to, "%s: ", file);
	fprintf(f->to, "%s: ", kind);
	vfprintf(f->to, fmt, ap);
	fputc('\n', f->to);
}

void conf_error(struct conf_faults *f, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	f->errors++;
	va_start(ap, fmt);
	report(f, "error", file, line, fmt, ap);
	va_end(ap);
}

void conf_warn(struct conf_faults *f, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	f->warnings++;
	if (f->errors_only)
		return;
	va_start(ap, fmt);
	report(f, "warning", file, line, fmt, ap);
	va_end(ap);
}
