/* SPDX-License-Identifier: Apache-2.0 */
/* Weights of INT8 convolutions, packed for the level in force. */
#include <string.h>

#include "base/mem.h"
#include "kern/int8_conv.h"

#define FULL_VECTOR 16    /* output channels of small groups that are computed at once */
#define GATHER_MAX_RUN 64 /* bytes of a kernel row up to which windows are copied together */

const tarn_int8_set *tarn_int8_set_get(bool narrow)
{
#if defined(__x86_64__)
	switch (tarn_isa_get()) {
	case TARN_ISA_AVX2:
		return &tarn_int8_avx2;
	case TARN_ISA_AVXVNNI:
		return narrow ? &tarn_int8_avxvnni : &tarn_int8_avx2;
	case TARN_ISA_AVX512:
		return &tarn_int8_avx512;
	case TARN_ISA_AVX512VNNI:
		return narrow ? &tarn_int8_avx512vnni : &tarn_int8_avx512;
	default:
		break;
	}
#else
	(void)narrow;
#endif
	return NULL;
}

/* One weight of a step of four: code k of lane `lane` of the vector at w. */
static void put(const tarn_int8_set *set, int8_t *w, int lane, int k, int value)
{
	if (set->wide) {
		int16_t v = (int16_t)value;
		memcpy(w + (size_t)((k & 1) * set->lanes * 4 + lane * 4 + (k >> 1) * 2), &v, sizeof v);
	} else {
		w[lane * 4 + k] = (int8_t)value;
	}
}

static size_t vector_bytes(const tarn_int8_set *set)
{
	return (size_t)set->lanes * (set->wide ? 8 : 4);
}

int tarn_qconv_channel(const tarn_qconv *q, size_t column)
{
	size_t lanes = (size_t)q->set->lanes;
	if (q->kind == TARN_QCONV_DEPTHWISE) {
		size_t first = column / (4 * lanes) * 4 * lanes;
		size_t c = (size_t)tarn_qdw_channel((int)(column - first), (int)lanes);
		if (tarn_qdw_half((int)((size_t)q->s.oc - first), (int)lanes))
			c %= 32;
		c += first;
		return c < (size_t)q->s.oc ? (int)c : -1;
	}
	size_t width = (size_t)q->vectors * lanes, ocg = (size_t)(q->s.oc / q->s.groups);
	return column % width < ocg ? (int)(column / width * ocg + column % width) : -1;
}

/* Where a column begins in the panels of its group; *step: bytes from four of its elements to the next four. */
static int8_t *column_place(const tarn_qconv *q, size_t column, size_t *step)
{
	size_t lanes = (size_t)q->set->lanes, width = (size_t)q->vectors * lanes, steps = (q->depth + 3) / 4;
	size_t group = column / width, vector = column % width / lanes, vb = vector_bytes(q->set);
	int panel = 0, first, nv = tarn_qconv_panel(q, 0, &first);
	while (vector >= (size_t)(first + nv))
		nv = tarn_qconv_panel(q, ++panel, &first);
	size_t before = group * (size_t)q->vectors + (size_t)first;
	*step = (size_t)nv * vb;
	return q->w + before * q->taps * steps * vb + (vector - (size_t)first) * vb;
}

/* A run of n weights of one tap, from its element `from` on. */
static void put_run(const tarn_int8_set *set, int8_t *w, size_t step, int lane, size_t from, const int16_t *v, size_t n)
{
	size_t i = 0;
	int8_t *to = w + from / 4 * step + lane * 4;
	for (; !set->wide && from % 4 == 0 && i + 4 <= n; i += 4, to += step) {
		const int8_t four[4] = {(int8_t)v[i], (int8_t)v[i + 1], (int8_t)v[i + 2], (int8_t)v[i + 3]};
		memcpy(to, four, sizeof four);
	}
	for (; i < n; i++)
		put(set, w + (from + i) / 4 * step, lane, (int)((from + i) & 3), v[i]);
}

static void fill_tiles(tarn_qconv *q)
{
	size_t ic = (size_t)(q->s.ic / q->s.groups), taps = (size_t)q->s.kh * (size_t)q->s.kw, steps = (q->depth + 3) / 4, step;
	for (size_t column = 0; column < q->columns; column++) {
		int o = tarn_qconv_channel(q, column), lane = (int)(column % (size_t)q->set->lanes);
		if (o < 0)
			continue;
		const int16_t *v = q->plain + (size_t)o * taps * ic;
		int8_t *w = column_place(q, column, &step);
		for (size_t t = 0; t < taps; t++, v += ic)
			put_run(q->set, w + (q->gather ? 0 : t) * steps * step, step, lane, q->gather ? t * ic : 0, v, ic);
	}
}

static void fill_depthwise(tarn_qconv *q)
{
	const tarn_conv_spec *s = &q->s;
	size_t lanes = (size_t)q->set->lanes, vb = vector_bytes(q->set);
	for (size_t column = 0; column < q->columns; column++) {
		int o = tarn_qconv_channel(q, column);
		size_t block = column / (4 * lanes), v = column % (4 * lanes) / lanes;
		for (int ky = 0; o >= 0 && ky < s->kh; ky++)
			for (int b = 0; b < q->outputs; b++)
				for (int kx = 0; kx < s->kw; kx++) {
					int pixel = b * s->stride_w + kx; /* outputs > 1 only without dilation */
					size_t at = block * (size_t)s->kh + (size_t)ky;
					at = (at * (size_t)q->outputs + (size_t)b) * (size_t)q->groups4 + (size_t)(pixel / 4);
					put(q->set, q->w + (at * 4 + v) * vb, (int)(column % lanes), pixel % 4,
					    q->plain[((size_t)o * (size_t)s->kh + (size_t)ky) * (size_t)s->kw + (size_t)kx]);
				}
	}
}

static void fill_start(tarn_qconv *q)
{
	size_t k = (size_t)(q->s.ic / q->s.groups) * (size_t)q->s.kh * (size_t)q->s.kw;
	int zero = q->in.zero + (q->in.type == TARN_CODE_S8 ? 128 : 0);
	for (size_t column = 0; column < q->columns; column++) {
		int o = tarn_qconv_channel(q, column);
		int64_t sum = 0;
		for (size_t i = 0; o >= 0 && i < k; i++)
			sum += q->plain[(size_t)o * k + i];
		q->start[column] = (int32_t)(uint32_t)(uint64_t)(-zero * sum); /* modulo 2^32, like the accumulators */
	}
}

/* How the level will compute it, and how large that is. */
static void choose(tarn_qconv *q)
{
	const tarn_conv_spec *s = &q->s;
	size_t lanes = (size_t)q->set->lanes, vb = vector_bytes(q->set), ic = (size_t)(s->ic / s->groups);
	if (s->groups == s->ic && s->groups == s->oc && s->groups > 1 && s->kh <= TARN_QDW_TAPS && s->kw <= TARN_QDW_TAPS) {
		q->kind = TARN_QCONV_DEPTHWISE;
		q->outputs = 1;
		if (s->dilation_w == 1 && s->stride_w == 1)
			q->outputs = s->kw == 3 ? 2 : s->kw == 5 ? 4 : 1;
		else if (s->dilation_w == 1 && s->stride_w == 2)
			q->outputs = s->kw == 5 ? 2 : 1;
		q->groups4 = ((q->outputs - 1) * s->stride_w + s->kw + 3) / 4;
		size_t blocks = ((size_t)s->oc + 4 * lanes - 1) / (4 * lanes);
		q->columns = blocks * 4 * lanes;
		q->w_bytes = blocks * (size_t)(s->kh * q->outputs * q->groups4 * 4) * vb;
		return;
	}
	q->kind = TARN_QCONV_TILES;
	size_t taps = (size_t)s->kh * (size_t)s->kw, window = (taps * ic + 3) / 4 * 4;
	q->gather = taps > 1 && s->groups == 1 && s->dilation_w == 1 && s->kh <= TARN_QCONV_GATHER_ROWS &&
		    (size_t)s->kw * ic <= GATHER_MAX_RUN && window * TARN_QTILE_ROWS <= TARN_QCONV_WINDOWS;
	q->taps = q->gather ? 1 : taps;
	q->depth = q->gather ? window : ic;
	q->vectors = (int)(((size_t)(s->oc / s->groups) + lanes - 1) / lanes);
	q->panels = (q->vectors + TARN_QTILE_NV - 1) / TARN_QTILE_NV;
	q->columns = (size_t)s->groups * (size_t)q->vectors * lanes;
	q->w_bytes = (size_t)s->groups * (size_t)q->vectors * q->taps * ((q->depth + 3) / 4) * vb;
}

/* Picks the level's form for weights that fit 8 bits (narrow) or do not; then its blocks, from the store or fresh. */
static tarn_err make_room(tarn_qconv *q, bool narrow, tarn_store *from)
{
	q->set = (size_t)q->s.kh * (size_t)q->s.kw <= TARN_QCONV_TABLE ? tarn_int8_set_get(narrow) : NULL;
	if (!q->set)
		return TARN_OK;
	choose(q);
	TRY(tarn_store_get(from, q->w_bytes, &q->w));
	return tarn_store_get(from, q->columns * sizeof *q->start, &q->start);
}

static size_t plain_count(const tarn_qconv *q)
{
	return (size_t)q->s.oc * (size_t)(q->s.ic / q->s.groups) * (size_t)q->s.kh * (size_t)q->s.kw;
}

static tarn_err pack_level(tarn_qconv *q)
{
	bool narrow = true;
	for (size_t i = 0, n = plain_count(q); i < n && narrow; i++)
		narrow = q->plain[i] >= -128 && q->plain[i] <= 127;
	TRY(make_room(q, narrow, NULL));
	if (!q->set)
		return TARN_OK;
	memset(q->w, 0, q->w_bytes);
	fill_start(q);
	if (q->kind == TARN_QCONV_DEPTHWISE)
		fill_depthwise(q);
	else
		fill_tiles(q);
	tarn_mem_free_aligned(q->plain);
	q->plain = NULL;
	return TARN_OK;
}

/* Small groups side by side fill a vector of output channels: that many of them become one, with zeros between. */
static int merged(const tarn_conv_spec *s)
{
	int ocg = s->oc / s->groups, most = 1;
	if (ocg == 1 && s->ic == s->groups) /* depthwise */
		return 1;
	for (int m = 2; m <= s->groups && m * ocg <= FULL_VECTOR; m++)
		most = s->groups % m ? most : m;
	return most;
}

static tarn_err qconv_new(const tarn_conv_spec *spec, tarn_qconv_input input, tarn_qconv **out)
{
	CHECK(spec->groups > 0 && spec->ic > 0 && spec->oc > 0 && spec->ic % spec->groups == 0 && spec->oc % spec->groups == 0,
	      TARN_SHAPE, "%d input and %d output channels do not divide into %d groups", spec->ic, spec->oc, spec->groups);
	size_t k = (size_t)(spec->ic / spec->groups) * (size_t)spec->kh * (size_t)spec->kw;
	/* |x - x_zero| and |w - w_zero| are at most 255 */
	CHECK(k <= INT32_MAX / (255 * 255), TARN_SHAPE, "%zu products for one output could overflow 32 bits", k);
	tarn_qconv *q = tarn_mem_zalloc(1, sizeof *q);
	if (!q)
		return tarn_err_nomem(sizeof *q);
	q->s = *spec;
	q->s.groups /= merged(spec);
	q->in = input;
	*out = q;
	return TARN_OK;
}

static void put_plain(tarn_qconv *q, const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero)
{
	size_t ic = (size_t)(spec->ic / spec->groups), ocg = (size_t)(spec->oc / spec->groups), m = (size_t)merged(spec);
	size_t taps = (size_t)spec->kh * (size_t)spec->kw;
	if (m > 1)
		memset(q->plain, 0, plain_count(q) * sizeof *q->plain);
	for (size_t o = 0; o < (size_t)q->s.oc; o++) {
		int zero = w_zero ? w_zero[o] : 0;
		const int8_t *s8 = (const int8_t *)w + o * ic * taps;
		const uint8_t *u8 = (const uint8_t *)w + o * ic * taps;
		for (size_t t = 0; t < taps; t++) {
			int16_t *to = q->plain + (o * taps + t) * ic * m + o / ocg % m * ic;
			if (w_type == TARN_CODE_S8)
				for (size_t c = 0; c < ic; c++)
					to[c] = (int16_t)(s8[c * taps + t] - zero);
			else
				for (size_t c = 0; c < ic; c++)
					to[c] = (int16_t)(u8[c * taps + t] - zero);
		}
	}
}

tarn_err tarn_qconv_pack(const tarn_conv_spec *spec, const void *w, tarn_code w_type, const int32_t *w_zero,
			 tarn_qconv_input input, tarn_qconv **out)
{
	tarn_qconv *q = NULL;
	TRY(qconv_new(spec, input, &q));
	tarn_err err = tarn_store_get(NULL, plain_count(q) * sizeof *q->plain, &q->plain);
	if (err == TARN_OK) {
		put_plain(q, spec, w, w_type, w_zero);
		err = pack_level(q);
	}
	if (err != TARN_OK)
		tarn_qconv_free(q);
	else
		*out = q;
	return err;
}

/* Without a form of the level's own the numbers are summed as they are, and nothing may overflow. */
static tarn_err check_plain(const tarn_qconv *q)
{
	for (size_t i = 0, n = plain_count(q); i < n; i++)
		CHECK(q->plain[i] >= -255 && q->plain[i] <= 255, TARN_BAD_FILE,
		      "compiled model: a packed weight of %d; compile it again", q->plain[i]);
	return TARN_OK;
}

tarn_err tarn_qconv_open(const tarn_conv_spec *spec, tarn_qconv_input input, tarn_store *from, tarn_qconv **out)
{
	tarn_qconv *q = NULL;
	const int32_t *narrow;
	TRY(qconv_new(spec, input, &q));
	q->lent = true;
	tarn_err err = tarn_store_get(from, sizeof *narrow, &narrow);
	if (err == TARN_OK)
		err = make_room(q, *narrow != 0, from);
	if (err == TARN_OK && !q->set) {
		err = tarn_store_get(from, plain_count(q) * sizeof *q->plain, &q->plain);
		if (err == TARN_OK)
			err = check_plain(q);
	}
	if (err != TARN_OK)
		tarn_qconv_free(q);
	else
		*out = q;
	return err;
}

void tarn_qconv_save(const tarn_qconv *q, tarn_str *out)
{
	int32_t narrow = q->set && q->set == tarn_int8_set_get(true);
	tarn_store_put(out, &narrow, sizeof narrow);
	if (q->set) {
		tarn_store_put(out, q->w, q->w_bytes);
		tarn_store_put(out, q->start, q->columns * sizeof *q->start);
	} else {
		tarn_store_put(out, q->plain, plain_count(q) * sizeof *q->plain);
	}
}

void tarn_qconv_free(tarn_qconv *q)
{
	if (!q)
		return;
	if (!q->lent) {
		tarn_mem_free_aligned(q->plain);
		tarn_mem_free_aligned(q->w);
		tarn_mem_free_aligned(q->start);
	}
	tarn_mem_free(q);
}

size_t tarn_qconv_bytes(const tarn_qconv *q)
{
	return sizeof *q + (q->plain ? plain_count(q) * sizeof *q->plain : q->w_bytes + q->columns * sizeof *q->start);
}
