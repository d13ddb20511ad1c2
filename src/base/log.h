/* SPDX-License-Identifier: Apache-2.0 */
/* Notes to the person running the program. Quiet by default; TARN_LOG=debug|info|warn|error sets the level. */
#ifndef TARN_BASE_LOG_H
#define TARN_BASE_LOG_H

typedef enum tarn_log_level { TARN_LOG_DEBUG, TARN_LOG_INFO, TARN_LOG_WARN, TARN_LOG_ERROR } tarn_log_level;

void tarn_log(tarn_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Receives every line at or above the level instead of stderr; NULL restores stderr. */
void tarn_log_set_sink(void (*sink)(const char *line));

#endif
