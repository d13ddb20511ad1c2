/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/verdict.h"

#include <math.h>
#include <string.h>

/* Where a share begins to count. A device that is busy four fifths of the time cannot become faster by more than a quarter
 * through anything the host does; MACs and memory are rarely beyond two thirds of their peaks in practice. */
#define BUSY 0.8
#define DDR_LIMIT 0.6
#define MAC_LIMIT 0.5
#define PREPARE_LIMIT 0.4
#define COPY_LIMIT 0.25
#define OTHER_LIMIT 0.4
enum { ENOUGH = 10 };

static double copy_share(const tarn_counters *c)
{
	return c->copy_in + c->copy_out;
}

/* One synchronous request: the device has work exactly while the host waits for it. */
static double busy_of(const tarn_counters *c)
{
	return isnan(c->busy) && c->in_flight == 1 ? c->device : c->busy;
}

static bool is_busy(const tarn_counters *c)
{
	return busy_of(c) >= BUSY;
}

/* Host and device side by side instead of in turns. */
static double overlap_gain(const tarn_counters *c)
{
	double host = 1 - c->device, longer = host > c->device ? host : c->device;
	return longer > 0 ? 1 / longer : 1;
}

/* ---- predicates, named as in rules.def
 * ----------------------------------------------------------------------------------------- */

static bool no_shares(const tarn_counters *c)
{
	double share[] = {c->prepare, c->copy_in, c->device, c->copy_out, c->wait, c->other}, sum = 0;
	for (int i = 0; i < 6; i++) {
		if (!(share[i] >= 0))
			return true;
		sum += share[i];
	}
	return fabs(sum - 1) > 0.01;
}

static bool wrong_clock(const tarn_counters *c)
{
	return c->exact;
}

static bool too_few(const tarn_counters *c)
{
	return c->inferences < ENOUGH;
}

static bool rate_limited(const tarn_counters *c)
{
	return c->rate_limited && !is_busy(c);
}

static bool no_busy(const tarn_counters *c)
{
	return isnan(busy_of(c));
}

static bool memory(const tarn_counters *c)
{
	return is_busy(c) && c->ddr >= DDR_LIMIT && !(c->mac > c->ddr);
}

static bool mostly_int8(const tarn_counters *c)
{
	return c->int8 >= 0.5;
}

static bool memory_float(const tarn_counters *c)
{
	return memory(c) && !mostly_int8(c);
}

static bool memory_int8(const tarn_counters *c)
{
	return memory(c) && mostly_int8(c);
}

static bool compute_float(const tarn_counters *c)
{
	return is_busy(c) && c->mac >= MAC_LIMIT && !mostly_int8(c);
}

static bool compute_int8(const tarn_counters *c)
{
	return is_busy(c) && c->mac >= MAC_LIMIT && mostly_int8(c);
}

static bool layers(const tarn_counters *c)
{
	return is_busy(c) && !isnan(c->mac) && !isnan(c->ddr);
}

static bool device_busy(const tarn_counters *c)
{
	return is_busy(c);
}

/* Only where overlap alone promises a quarter more; else the longer side is what limits. */
static bool one_request(const tarn_counters *c)
{
	return c->in_flight == 1 && overlap_gain(c) >= 1.25;
}

static bool one_live(const tarn_counters *c)
{
	return one_request(c) && c->workers > 0;
}

static bool prepare(const tarn_counters *c)
{
	return c->prepare >= PREPARE_LIMIT && c->prepare >= copy_share(c) && c->prepare >= c->other;
}

static bool prepare_workers(const tarn_counters *c)
{
	return prepare(c) && c->workers > 0 && c->workers < c->processors;
}

static bool prepare_decode(const tarn_counters *c)
{
	return prepare(c) && c->decodes_in_full;
}

static bool copies(const tarn_counters *c)
{
	return copy_share(c) >= COPY_LIMIT && copy_share(c) >= c->other;
}

static bool few_requests(const tarn_counters *c)
{
	return c->in_flight < c->optimal;
}

static bool unexplained(const tarn_counters *c)
{
	return c->other >= OTHER_LIMIT;
}

static bool nothing(const tarn_counters *c)
{
	(void)c;
	return true;
}

static const struct rule {
	bool (*holds)(const tarn_counters *c);
	const char *name, *sentence, *next;
} rules[] = {
#define RULE(sym, name, sentence, next) {sym, name, sentence, next},
#include "diag/rules.def"
#undef RULE
};

/* ---- sentences
 * ----------------------------------------------------------------------------------------------------------------- */

static int at_least(int a, int b)
{
	return a > b ? a : b;
}

static int want_workers(const tarn_counters *c)
{
	return c->processors > 0 ? c->processors : at_least(2, c->workers);
}

/* One request runs, one waits, and each worker fills one. */
static int want_nireq(const tarn_counters *c)
{
	if (c->optimal > c->in_flight)
		return c->optimal;
	int n = c->workers > 0 ? 2 + want_workers(c) : 2 * c->in_flight;
	return at_least(n, at_least(4, c->in_flight));
}

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

static void add_word(tarn_str *s, const tarn_counters *c, const char *word, size_t n)
{
	const struct {
		const char *word;
		double share;
	} shares[] = {{"prepare", c->prepare}, {"copies", copy_share(c)}, {"copy_in", c->copy_in}, {"copy_out", c->copy_out},
		      {"device", c->device},   {"wait", c->wait},         {"other", c->other},     {"busy", busy_of(c)},
		      {"mac", c->mac},         {"ddr", c->ddr},           {"int8", c->int8}};
	const struct {
		const char *word;
		int64_t count;
	} counts[] = {{"n", c->inferences},
		      {"nireq", c->in_flight},
		      {"workers", c->workers},
		      {"processors", c->processors},
		      {"want_nireq", want_nireq(c)},
		      {"want_workers", want_workers(c)},
		      {"more_nireq", 2 * at_least(1, c->in_flight)}};
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		if (strlen(shares[i].word) == n && !strncmp(shares[i].word, word, n)) {
			add_share(s, shares[i].share);
			return;
		}
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (strlen(counts[i].word) == n && !strncmp(counts[i].word, word, n)) {
			tarn_str_addf(s, "%lld", (long long)counts[i].count);
			return;
		}
	if (!strncmp(word, "gain", n))
		tarn_str_addf(s, "%.1f", overlap_gain(c));
	else if (!strncmp(word, "and_mac", n))
		add_optional(s, ", its MACs at ", c->mac, " of their peak");
	else if (!strncmp(word, "and_ddr", n))
		add_optional(s, ", moving data at ", c->ddr, " of its DDR bandwidth");
}

static void expand(tarn_str *s, const tarn_counters *c, const char *text)
{
	for (const char *open; (open = strchr(text, '{')); text += strcspn(text, "}") + 1) {
		tarn_str_add_n(s, text, (size_t)(open - text));
		text = open;
		add_word(s, c, open + 1, strcspn(open + 1, "}"));
	}
	tarn_str_add(s, text);
}

tarn_err tarn_verdict_find(const tarn_counters *c, const char **name, tarn_str *sentence, tarn_str *next)
{
	const struct rule *r = rules;
	while (!r->holds(c))
		r++;
	*name = r->name;
	expand(sentence, c, r->sentence);
	expand(next, c, r->next);
	TRY(tarn_str_done(sentence));
	return tarn_str_done(next);
}
