/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays files through a fuzz target without a fuzzer: replay [FILE or FOLDER]...
 * Each input runs whole, and cut at a few places, since a reader that survives a file must survive its beginning too.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static unsigned long inputs, runs;

/* A copy of exactly `size` bytes: reading past the end is then visible to a memory checker. */
static int run_bytes(const uint8_t *data, size_t size)
{
	uint8_t *copy = calloc(size ? size : 1, 1);
	if (!copy)
		return 1;
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
	return 0;
}

static int replay_file(const char *path)
{
	tarn_file_map map;
	if (tarn_file_map_open(path, &map) != TARN_OK) {
		fprintf(stderr, "replay: %s\n", tarn_err_text());
		return 1;
	}
	int bad = run_bytes(map.at, map.size);
	for (size_t part = 1; part < 8 && !bad; part++)
		bad = run_bytes(map.at, map.size * part / 8);
	if (!bad && map.size)
		bad = run_bytes(map.at, map.size - 1);
	tarn_file_map_close(&map);
	inputs++;
	return bad;
}

static int replay(const char *path)
{
	if (!tarn_file_is_dir(path))
		return replay_file(path);
	char **names;
	size_t n;
	if (tarn_file_list(path, &names, &n) != TARN_OK) {
		fprintf(stderr, "replay: %s\n", tarn_err_text());
		return 1;
	}
	int bad = 0;
	for (size_t i = 0; i < n && !bad; i++) {
		char full[4096];
		int len = snprintf(full, sizeof full, "%s/%s", path, names[i]);
		bad = len < 0 || (size_t)len >= sizeof full || replay_file(full);
	}
	tarn_mem_free(names);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = run_bytes((const uint8_t *)"", 0);
	for (int i = 1; i < argc && !bad; i++)
		bad = replay(argv[i]);
	printf("%lu inputs, %lu runs\n", inputs, runs);
	return bad;
}
