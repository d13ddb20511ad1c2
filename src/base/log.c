/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static _Atomic(void (*)(const char *)) sink;
static const char *const names[] = {"debug", "info", "warn", "error"};

static tarn_log_level threshold(void)
{
	static atomic_int cached = -1;
	int level = atomic_load(&cached);
	if (level >= 0)
		return (tarn_log_level)level;
	const char *s = getenv("TARN_LOG");
	level = TARN_LOG_WARN;
	for (int i = 0; s && i <= TARN_LOG_ERROR; i++)
		if (!strcasecmp(s, names[i]))
			level = i;
	atomic_store(&cached, level);
	return (tarn_log_level)level;
}

void tarn_log_set_sink(void (*fn)(const char *))
{
	atomic_store(&sink, fn);
}

void tarn_log(tarn_log_level level, const char *fmt, ...)
{
	if (level < threshold())
		return;
	char line[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	void (*fn)(const char *) = atomic_load(&sink);
	if (fn)
		fn(line);
	else
		fprintf(stderr, "tarn: %s: %s\n", names[level], line);
}
