/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a code that travels by return value, and a sentence in a thread-local buffer.
 *
 * The place that finds the fault says what is wrong and what to do (tarn_err_set); callers on the way up may say where
 * (tarn_err_note): "axis 5 out of range for rank 3; in node 'prob' (Softmax)". Nothing aborts. A function that can fail
 * returns tarn_err, and its results go through out-parameters, which are untouched on failure unless it says otherwise.
 */
#ifndef TARN_BASE_ERR_H
#define TARN_BASE_ERR_H

typedef enum tarn_err_code {
#define ERR(sym, text, exit) TARN_##sym,
#include "base/err.def"
#undef ERR
	TARN_ERR_COUNT
} tarn_err_code;

typedef tarn_err_code tarn_err;
#define TARN_MUST __attribute__((warn_unused_result))

/* Records code and sentence for this thread and returns code. */
TARN_MUST tarn_err tarn_err_set(tarn_err code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends "; <note>" to the sentence (when code is an error) and returns code. */
TARN_MUST tarn_err tarn_err_note(tarn_err code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The sentence of the last error of this thread; "" when there was none. Valid until the next error of this thread. */
const char *tarn_err_text(void);
void tarn_err_clear(void);
/* Makes `text` (from another thread, say) this thread's sentence and returns code. */
TARN_MUST tarn_err tarn_err_adopt(tarn_err code, const char *text);
/* The general meaning of a code, and the exit code of the command line for it. */
const char *tarn_err_name(tarn_err code);
int tarn_err_exit_code(tarn_err code);
/* "out of memory" with the size asked for. */
TARN_MUST tarn_err tarn_err_nomem(unsigned long long bytes);

/* The four macros of the idiom: pass an error on; jump to the cleanup, with the error in the function's own `err`; the same
 * with a condition and a sentence. */
/* clang-format off */
#define TRY(expr) do { tarn_err try_ = (expr); if (try_ != TARN_OK) return try_; } while (0)
#define TRY_GOTO(label, expr) do { err = (expr); if (err != TARN_OK) goto label; } while (0)
#define CHECK(cond, code, ...) do { if (!(cond)) return tarn_err_set(code, __VA_ARGS__); } while (0)
#define CHECK_GOTO(label, cond, code, ...) do { if (!(cond)) { err = tarn_err_set(code, __VA_ARGS__); goto label; } } while (0)
/* clang-format on */

#endif
