/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of this example share: labelled texts, and arrays for the text classifier. */
#ifndef EXAMPLES_TEXTS_H
#define EXAMPLES_TEXTS_H

#include <stdint.h>

enum { TEXT_CLASSES = 6, TEXT_INPUTS = 3, MAX_TEXTS = 4000, MAX_TEXT = 512 };

typedef struct sample {
	int label;
	int n;
	unsigned char text[MAX_TEXT];
} sample;
extern sample texts[MAX_TEXTS];
extern int n_texts;
extern const char *const texts_input[TEXT_INPUTS]; /* names of the model's inputs */

/* label TAB text, one a line; the text has \n \t \r \\ escaped. The first line is a header. 0, or 3 after its message. */
int texts_read(const char *path);
/* The library's last error on stderr; returns 3. */
int texts_fail(const char *where);
/* input_ids, attention_mask, position_ids [count][length] and labels [count], which stand one behind the other at `at`. */
int texts_write_all(const char *folder, int64_t count, int64_t length, int64_t *at);

#endif
