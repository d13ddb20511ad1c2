/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/fmt.h"
#include "fmt/ovir/ovir.h"

static tarn_err read(tarn_buffer *main, tarn_buffer *side, const char *path, tarn_model **m)
{
	(void)path;
	return tarn_ovir_read_memory(main, side, m);
}

static const char *const ends[] = {".xml", NULL};
const tarn_model_format tarn_format_ovir = {
	.name = "OpenVINO IR",
	.ends = ends,
	.probe = tarn_ovir_probe,
	.read = read,
	.write = tarn_ovir_write,
};
