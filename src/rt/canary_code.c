/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canaries as text: base64 of
 *   "TCN1", u32 samples, u32 inputs,
 *   for each sample and input: u8 type, u8 rank, u8 coding (0 bytes as they are; 1 steps), u8 0, i64 sizes, then
 *     bytes, or f32 lowest, f32 step, u8 codes
 *   u64 hash of all before.
 * Little endian, as every machine this runs on.
 */
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "rt/canary.h"

static const char *const key = "tarn.canary";
static const char magic[4] = {'T', 'C', 'N', '1'};
#define LARGEST ((size_t)1 << 20) /* bytes before base64 */
enum { AS_IS, STEPS, MOST_INPUTS = 64 };

/* ---- writing ---- */

static void add_u32(tarn_str *s, uint32_t v)
{
	tarn_str_add_n(s, (const char *)&v, sizeof v);
}

static void add_steps(tarn_str *s, const tarn_tensor *t)
{
	const float *x = t->data;
	int64_t n = tarn_tensor_count(t);
	float lo = n ? x[0] : 0, hi = lo;
	bool whole = true; /* pixels: kept exactly */
	for (int64_t i = 0; i < n; i++) {
		lo = x[i] < lo ? x[i] : lo;
		hi = x[i] > hi ? x[i] : hi;
		whole &= x[i] >= 0 && x[i] <= 255 && x[i] == rintf(x[i]);
	}
	float step = whole ? 1 : (hi - lo) / 255;
	lo = whole ? 0 : lo;
	tarn_str_add_n(s, (const char *)&lo, sizeof lo);
	tarn_str_add_n(s, (const char *)&step, sizeof step);
	for (int64_t i = 0; i < n; i++) {
		unsigned char code = step > 0 ? (unsigned char)fminf(255, rintf((x[i] - lo) / step)) : 0;
		tarn_str_add_n(s, (const char *)&code, 1);
	}
}

static bool all_finite(const tarn_tensor *t)
{
	for (int64_t i = 0, n = tarn_tensor_count(t); i < n; i++)
		if (!isfinite(((const float *)t->data)[i]))
			return false;
	return true;
}

static void add_tensor(tarn_str *s, const tarn_tensor *t)
{
	bool steps = t->type == TARN_F32 && all_finite(t);
	char head[4] = {(char)t->type, (char)t->rank, steps ? STEPS : AS_IS, 0};
	tarn_str_add_n(s, head, sizeof head);
	tarn_str_add_n(s, (const char *)t->dim, (size_t)t->rank * sizeof *t->dim);
	if (steps)
		add_steps(s, t);
	else
		tarn_str_add_n(s, t->data, tarn_tensor_bytes(t));
}

tarn_err tarn_canary_put(tarn_model *m, const tarn_tensor *in, size_t n, size_t *kept)
{
	size_t inputs = m->main->input.len, fits = 0;
	tarn_str s = {0};
	tarn_err err = TARN_OK;
	*kept = 0;
	tarn_str_add_n(&s, magic, sizeof magic);
	add_u32(&s, 0);
	add_u32(&s, (uint32_t)inputs);
	bool text_input = false;
	for (size_t i = 0; i < inputs; i++)
		text_input |= m->main->input.at[i]->type == TARN_STRING;
	for (; !text_input && inputs && inputs <= MOST_INPUTS && fits < n && fits < TARN_CANARIES_MOST && !s.failed; fits++) {
		size_t before = s.len;
		for (size_t i = 0; i < inputs; i++)
			add_tensor(&s, &in[fits * inputs + i]);
		if (s.len > LARGEST) {
			s.len = before;
			break;
		}
	}
	if (fits && !s.failed) {
		memcpy(s.at + sizeof magic, &(uint32_t){(uint32_t)fits}, sizeof(uint32_t));
		uint64_t hash = tarn_hash(s.at, s.len, 0);
		tarn_str_add_n(&s, (const char *)&hash, sizeof hash);
	}
	TRY_GOTO(out, tarn_str_done(&s));
	char *text = fits ? tarn_base64_text(&m->arena, s.at, s.len) : NULL;
	CHECK_GOTO(out, text || !fits, TARN_NOMEM, "out of memory");
	TRY_GOTO(out, tarn_model_meta_put(m, key, text));
	*kept = fits;
out:
	tarn_str_fini(&s);
	return err;
}

/* ---- reading ---- */

typedef struct cursor {
	const unsigned char *at, *end;
} cursor;

static bool take(cursor *c, void *to, size_t n)
{
	if ((size_t)(c->end - c->at) < n)
		return false;
	memcpy(to, c->at, n);
	c->at += n;
	return true;
}

static tarn_err read_tensor(cursor *c, tarn_tensor *t)
{
	unsigned char head[4];
	int64_t dim[TARN_MAX_RANK];
	CHECK(take(c, head, sizeof head) && head[0] < TARN_STRING && head[0] != TARN_DTYPE_NONE && head[1] <= TARN_MAX_RANK &&
		      take(c, dim, head[1] * sizeof *dim),
	      TARN_BAD_FILE, "the canaries in the metadata are damaged");
	bool steps = head[2] == STEPS && head[0] == TARN_F32;
	size_t left = (size_t)(c->end - c->at);
	int64_t count = 1;
	for (int i = 0; i < head[1]; i++) {
		CHECK(dim[i] >= 0 && dim[i] <= (int64_t)LARGEST * 2, TARN_BAD_FILE, "the canaries in the metadata are damaged");
		count *= dim[i];
		CHECK(count <= (int64_t)LARGEST * 2, TARN_BAD_FILE, "the canaries in the metadata are damaged");
	}
	TRY(tarn_tensor_new((tarn_dtype)head[0], head[1], dim, t));
	float grid[2];
	CHECK(steps ? left >= sizeof grid + (size_t)count : left >= tarn_tensor_bytes(t), TARN_BAD_FILE,
	      "the canaries in the metadata are damaged");
	if (!steps) {
		memcpy(t->data, c->at, tarn_tensor_bytes(t));
		c->at += tarn_tensor_bytes(t);
		return TARN_OK;
	}
	(void)take(c, grid, sizeof grid);
	for (int64_t i = 0; i < count; i++)
		((float *)t->data)[i] = grid[0] + grid[1] * (float)*c->at++;
	return TARN_OK;
}

static tarn_err read_all(const tarn_model *m, cursor *c, tarn_tensor **in, size_t *n)
{
	char head[4];
	uint32_t samples, inputs;
	size_t bytes = (size_t)(c->end - c->at);
	uint64_t hash;
	CHECK(bytes >= sizeof hash + 12, TARN_BAD_FILE, "the canaries in the metadata are damaged");
	memcpy(&hash, c->end - sizeof hash, sizeof hash);
	c->end -= sizeof hash;
	CHECK(tarn_hash(c->at, bytes - sizeof hash, 0) == hash && take(c, head, 4) && !memcmp(head, magic, 4) &&
		      take(c, &samples, 4) && take(c, &inputs, 4) && samples <= TARN_CANARIES_MOST && inputs <= MOST_INPUTS,
	      TARN_BAD_FILE, "the canaries in the metadata are damaged");
	if (inputs != m->main->input.len)
		return TARN_OK; /* of another form of the model */
	tarn_tensor *t = tarn_mem_zalloc((size_t)samples * inputs + 1, sizeof *t);
	if (!t)
		return tarn_err_nomem((size_t)samples * inputs * sizeof *t);
	tarn_err err = TARN_OK;
	for (size_t i = 0; err == TARN_OK && i < (size_t)samples * inputs; i++)
		err = read_tensor(c, &t[i]);
	if (err == TARN_OK) {
		*in = t;
		*n = samples;
	} else {
		tarn_canary_free(m, t, samples);
	}
	return err;
}

tarn_err tarn_canary_get(const tarn_model *m, tarn_tensor **in, size_t *n)
{
	const char *text = tarn_model_meta_find(m, key);
	*in = NULL;
	*n = 0;
	if (!text)
		return TARN_OK;
	size_t size = 0;
	unsigned char *bytes = tarn_base64_bytes(text, LARGEST + 64, &size);
	CHECK(bytes, TARN_BAD_FILE, "the canaries in the metadata are damaged");
	cursor c = {bytes, bytes + size};
	tarn_err err = read_all(m, &c, in, n);
	tarn_mem_free(bytes);
	return err;
}

void tarn_canary_free(const tarn_model *m, tarn_tensor *in, size_t n)
{
	for (size_t i = 0; in && i < n * m->main->input.len; i++)
		tarn_tensor_fini(&in[i]);
	tarn_mem_free(in);
}
