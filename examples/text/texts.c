/* SPDX-License-Identifier: Apache-2.0 */
#include "texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "openvino/c/openvino.h"
#include "tarn/data.h"

sample texts[MAX_TEXTS];
int n_texts;
const char *const texts_input[TEXT_INPUTS] = {"input_ids", "attention_mask", "position_ids"};

int texts_fail(const char *where)
{
	const char *text = ov_get_last_err_msg();
	fprintf(stderr, "%s: %s\n", where, text ? text : "failed");
	ov_free(text);
	return 3;
}

int texts_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	char line[4 * MAX_TEXT];
	if (!f || !fgets(line, sizeof line, f)) {
		fprintf(stderr, "%s cannot be read\n", path);
		return 3;
	}
	while (n_texts < MAX_TEXTS && fgets(line, sizeof line, f)) {
		sample *s = &texts[n_texts];
		char *tab = strchr(line, '\t');
		if (!tab)
			continue;
		s->label = atoi(line);
		s->n = 0;
		for (const char *p = tab + 1; *p && *p != '\n' && s->n < MAX_TEXT; p++) {
			unsigned char c = (unsigned char)*p;
			if (c == '\\' && p[1]) {
				p++;
				c = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : (unsigned char)*p;
			}
			s->text[s->n++] = c;
		}
		n_texts += s->n > 0;
	}
	fclose(f);
	return n_texts ? 0 : 3;
}

/* FOLDER/NAME.npy of i64. */
static int write_array(const char *folder, const char *name, int64_t rank, const int64_t *dims, int64_t *data)
{
	char path[4096];
	ov_shape_t shape;
	ov_tensor_t *t = NULL;
	snprintf(path, sizeof path, "%s/%s.npy", folder, name);
	if (ov_shape_create(rank, dims, &shape) != OK)
		return texts_fail("shape");
	int bad = ov_tensor_create_from_host_ptr(I64, shape, data, &t) != OK || tarn_write_npy(path, t) != OK;
	ov_tensor_free(t);
	ov_shape_free(&shape);
	return bad ? texts_fail(path) : 0;
}

int texts_write_all(const char *folder, int64_t count, int64_t length, int64_t *at)
{
	int64_t each = count * length;
	mkdir(folder, 0777);
	int rc = write_array(folder, "labels", 1, &count, at + TEXT_INPUTS * each);
	for (int k = 0; k < TEXT_INPUTS && !rc; k++)
		rc = write_array(folder, texts_input[k], 2, (int64_t[]){count, length}, at + k * each);
	return rc;
}
