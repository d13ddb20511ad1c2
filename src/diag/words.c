/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/words.h"

#include <math.h>
#include <string.h>

#include "diag/pipeline.h"

static void add_share(tarn_str *s, double v)
{
	if (isnan(v))
		tarn_str_add(s, "an unknown share");
	else
		tarn_str_addf(s, "%.0f %%", v * 100);
}

static void add_optional(tarn_str *s, const char *before, double v, const char *after)
{
	if (!isnan(v))
		tarn_str_addf(s, "%s%.0f %%%s", before, v * 100, after);
}

static bool is(const char *word, const char *at, size_t n)
{
	return strlen(word) == n && !strncmp(word, at, n);
}

static bool add_as_share(tarn_str *s, const tarn_counters *c, const char *word, size_t n)
{
	const struct {
		const char *word;
		double share;
	} shares[] = {{"prepare", c->prepare},
		      {"copies", c->copy_in + c->copy_out},
		      {"copy_in", c->copy_in},
		      {"copy_out", c->copy_out},
		      {"device", c->device},
		      {"wait", c->wait},
		      {"results", c->results},
		      {"other", c->other},
		      {"busy", tarn_counters_busy(c)},
		      {"mac", c->mac},
		      {"ddr", c->ddr},
		      {"int8", c->int8},
		      {"stalls", c->stall_weights + c->stall_activations},
		      {"stall_weights", c->stall_weights},
		      {"stall_activations", c->stall_activations},
		      {"compute", c->compute},
		      {"array", c->array},
		      {"vector", c->vector},
		      {"recurrent", c->recurrent},
		      {"fixed", c->fixed},
		      {"clock", c->clock},
		      {"gap_host", c->gap_host},
		      {"gap_input", c->gap_input},
		      {"run_delay", c->run_delay},
		      {"cpu_others", c->cpu_others}};
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		if (is(shares[i].word, word, n)) {
			add_share(s, shares[i].share);
			return true;
		}
	return false;
}

static bool add_as_count(tarn_str *s, const tarn_counters *c, const char *word, size_t n)
{
	const struct {
		const char *word;
		int64_t count;
	} counts[] = {{"n", c->inferences},
		      {"nireq", c->in_flight},
		      {"workers", c->workers},
		      {"processors", c->processors},
		      {"want_nireq", tarn_want_requests(c)},
		      {"want_workers", tarn_want_workers(c)},
		      {"more_nireq", 2 * (c->in_flight > 0 ? c->in_flight : 1)},
		      {"tiles", c->tiles},
		      {"device_tiles", c->device_tiles},
		      {"batch", c->batch > 1 ? c->batch : 8}};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (is(counts[i].word, word, n)) {
			tarn_str_addf(s, "%lld", (long long)counts[i].count);
			return true;
		}
	return false;
}

static void add_word(tarn_str *s, const tarn_counters *c, const char *word, size_t n)
{
	if (add_as_share(s, c, word, n) || add_as_count(s, c, word, n))
		return;
	if (is("and_mac", word, n))
		add_optional(s, ", its MACs at ", c->mac, " of their peak");
	else if (is("and_ddr", word, n))
		add_optional(s, ", moving data at ", c->ddr, " of its DDR bandwidth");
}

void tarn_words_expand(tarn_str *s, const tarn_counters *c, const char *text)
{
	for (const char *open; (open = strchr(text, '{')); text += strcspn(text, "}") + 1) {
		tarn_str_add_n(s, text, (size_t)(open - text));
		text = open;
		add_word(s, c, open + 1, strcspn(open + 1, "}"));
	}
	tarn_str_add(s, text);
}
