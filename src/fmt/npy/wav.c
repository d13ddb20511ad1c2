/* SPDX-License-Identifier: Apache-2.0 */
/* WAV files: RIFF chunks, of which "fmt " and "data" are looked at. */
#include <string.h>

#include "fmt/npy/npy.h"

enum { RIFF_HEADER = 12, CHUNK_HEADER = 8, FMT_BYTES = 16, PCM = 1, FLOATS = 3, EXTENSIBLE = 0xfffe, SUBFORMAT = 24 };

typedef struct wav {
	unsigned format, channels, bits;
	const uint8_t *data;
	size_t bytes;
} wav;

static unsigned u16(const uint8_t *at)
{
	return at[0] | (unsigned)at[1] << 8;
}

static uint32_t u32(const uint8_t *at)
{
	return u16(at) | (uint32_t)u16(at + 2) << 16;
}

bool tarn_wav_probe(const uint8_t *at, size_t n)
{
	return n >= RIFF_HEADER && !memcmp(at, "RIFF", 4) && !memcmp(at + 8, "WAVE", 4);
}

static tarn_err take_format(const uint8_t *at, size_t n, wav *w)
{
	CHECK(n >= FMT_BYTES, TARN_BAD_FILE, "the format of the WAV file is cut short");
	w->format = u16(at);
	w->channels = u16(at + 2);
	w->bits = u16(at + 14);
	if (w->format == EXTENSIBLE && n >= SUBFORMAT + 2)
		w->format = u16(at + SUBFORMAT);
	CHECK(w->channels >= 1 && w->channels <= 64, TARN_BAD_FILE, "a WAV file of %u channels", w->channels);
	bool pcm = w->format == PCM && (w->bits == 8 || w->bits == 16 || w->bits == 24 || w->bits == 32);
	CHECK(pcm || (w->format == FLOATS && w->bits == 32), TARN_UNSUPPORTED,
	      "WAV files of format %u and %u bits are not read; store it as PCM, or as 32-bit floats", w->format, w->bits);
	return TARN_OK;
}

/* Chunks follow one another, each filled up to an even number of bytes. A last one that says more than there is ends with the
 * file, as recorders that were stopped leave it. */
static tarn_err find_chunks(const uint8_t *at, size_t n, wav *w)
{
	size_t pos = RIFF_HEADER;
	while (n - pos >= CHUNK_HEADER && !w->data) {
		const uint8_t *chunk = at + pos;
		size_t room = n - pos - CHUNK_HEADER, size = u32(chunk + 4) < room ? u32(chunk + 4) : room;
		if (!memcmp(chunk, "fmt ", 4))
			TRY(take_format(chunk + CHUNK_HEADER, size, w));
		if (!memcmp(chunk, "data", 4)) {
			w->data = chunk + CHUNK_HEADER;
			w->bytes = size;
		}
		pos += CHUNK_HEADER + size;
		pos += pos < n && size % 2;
	}
	CHECK(w->channels, TARN_BAD_FILE, "the WAV file has no format");
	CHECK(w->data, TARN_BAD_FILE, "the WAV file has no samples");
	return TARN_OK;
}

/* -1 .. 1 */
static float sample(const wav *w, size_t i)
{
	const uint8_t *at = w->data + i * (w->bits / 8);
	uint32_t bits;
	float f;
	switch (w->bits) {
	case 8:
		return ((float)at[0] - 128) / 128;
	case 16:
		return (float)(int16_t)u16(at) / 32768;
	case 24:
		return (float)((int32_t)((uint32_t)u16(at) << 8 | (uint32_t)at[2] << 24) / 256) / 8388608;
	default:
		bits = u32(at);
		memcpy(&f, &bits, sizeof f);
		return w->format == FLOATS ? f : (float)((double)(int32_t)bits / 2147483648.0);
	}
}

tarn_err tarn_wav_parse_tensor(const uint8_t *at, size_t n, tarn_tensor *t)
{
	wav w = {0};
	CHECK(tarn_wav_probe(at, n), TARN_BAD_FILE, "not a WAV file");
	TRY(find_chunks(at, n, &w));
	size_t samples = w.bytes / (w.bits / 8) / w.channels;
	TRY(tarn_tensor_new(TARN_F32, 2, (const int64_t[]){w.channels, (int64_t)samples}, t));
	for (size_t c = 0; c < w.channels; c++)
		for (size_t i = 0; i < samples; i++)
			((float *)t->data)[c * samples + i] = sample(&w, i * w.channels + c);
	return TARN_OK;
}
