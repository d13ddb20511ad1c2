/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a checkpoint of training, (u16 place, u8 value) each, with the checksum made right again. It is read whole or not
 * at all. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "quant/qat/state.h"

enum { N = 3, HEADER = 80, BYTES = HEADER + 5 * N * 4 + 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	float value[6][N] = {{1, 2, 3}, {4, 5, 6}};
	qat_state s = {
		.n = N, .theta = value[0], .mean = value[1], .m = value[2], .v = value[3], .best = value[4], .unit = value[5]};
	uint8_t file[BYTES] = "tarnqat2";
	const uint64_t n = N;
	const double rate = 1;
	memcpy(file + 16, &n, sizeof n);
	memcpy(file + 40, &rate, sizeof rate);
	for (size_t i = 0; i + 3 <= size; i += 3)
		file[(data[i] | (size_t)data[i + 1] << 8) % sizeof file] = data[i + 2];
	uint64_t hash = tarn_hash(file, HEADER, 0);
	for (int i = 0; i < 5; i++)
		hash = tarn_hash(file + HEADER + i * N * 4, N * 4, hash);
	memcpy(file + BYTES - sizeof hash, &hash, sizeof hash);
	size_t length = size % 3 == 2 ? data[size - 1] % sizeof file : sizeof file;
	tarn_err err = qat_state_read(&s, file, length, "file");
	bool kept = value[0][0] == 1 && value[1][2] == 6 && s.step == 0 && s.rate == 0;
	if ((err && (!kept || !*tarn_err_text())) || (size < 2 && err))
		abort();
	if (!err &&
	    (s.step < 0 || s.epoch < 0 || !(s.rate > 0) || memcmp(value[4], file + HEADER + 4 * N * 4, sizeof value[4])))
		abort();
	return 0;
}
