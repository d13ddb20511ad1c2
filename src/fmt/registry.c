/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "fmt/fmt.h"
#include "fmt/onnx/onnx.h"
#include "fmt/ovir/ovir.h"

static const tarn_model_format *const formats[] = {&tarn_format_onnx, &tarn_format_ovir};
enum { N_FORMATS = sizeof formats / sizeof *formats };

static const tarn_model_format *format_of_name(const char *path)
{
	for (int i = 0; i < N_FORMATS; i++)
		for (const char *const *end = formats[i]->ends; *end; end++)
			if (tarn_str_ends_with(path, *end))
				return formats[i];
	return NULL;
}

static const tarn_model_format *format_of_bytes(const tarn_buffer *b)
{
	for (int i = 0; i < N_FORMATS; i++)
		if (formats[i]->probe(b->at, b->size))
			return formats[i];
	return NULL;
}

static tarn_err endings(tarn_str *s)
{
	for (int i = 0; i < N_FORMATS; i++)
		for (const char *const *end = formats[i]->ends; *end; end++)
			tarn_str_addf(s, "%s%s", s->len ? ", " : "", *end);
	return tarn_str_done(s);
}

static tarn_err unknown(const char *what)
{
	tarn_str list = {0};
	TRY(endings(&list));
	tarn_err err = tarn_err_set(TARN_UNSUPPORTED, "%s; models end in %s", what, list.at);
	tarn_str_fini(&list);
	return err;
}

/* The weights of "model.xml" lie in "model.bin" unless the caller names them. */
static tarn_err side_open(const char *path, const char *side_path, tarn_buffer **side)
{
	*side = NULL;
	if (side_path && *side_path)
		return tarn_buffer_map(side_path, side);
	if (!tarn_str_ends_with(path, ".xml"))
		return TARN_OK;
	tarn_str s = {0};
	tarn_str_add_n(&s, path, strlen(path) - 4);
	tarn_str_add(&s, ".bin");
	tarn_err err = tarn_str_done(&s);
	if (err == TARN_OK && tarn_file_exists(s.at))
		err = tarn_buffer_map(s.at, side);
	tarn_str_fini(&s);
	return err;
}

tarn_err tarn_model_read(const char *path, const char *side_path, tarn_model **m)
{
	tarn_buffer *file = NULL, *side = NULL;
	TRY(tarn_buffer_map(path, &file));
	const tarn_model_format *f = format_of_name(path);
	if (!f)
		f = format_of_bytes(file);
	tarn_err err = TARN_OK;
	if (!f)
		err = tarn_err_note(unknown("not a model file"), "in '%s'", path);
	if (err == TARN_OK)
		err = side_open(path, side_path, &side);
	if (err == TARN_OK)
		err = tarn_err_note(f->read(file, side, path, m), "in model '%s'", path);
	tarn_buffer_unref(side);
	tarn_buffer_unref(file);
	return err;
}

tarn_err tarn_model_read_buffer(tarn_buffer *main, tarn_buffer *side, tarn_model **m)
{
	const tarn_model_format *f = format_of_bytes(main);
	if (!f)
		return unknown("these bytes are no model");
	return f->read(main, side, NULL, m);
}

tarn_err tarn_model_write(const tarn_model *m, const char *path)
{
	const tarn_model_format *f = format_of_name(path);
	if (!f)
		return tarn_err_note(unknown("cannot tell the format from the name"), "of '%s'", path);
	CHECK(f->write, TARN_UNSUPPORTED, "%s can be read but not written; choose another format for '%s'", f->name, path);
	return tarn_err_note(f->write(m, path), "while writing '%s'", path);
}
