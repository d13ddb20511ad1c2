/* SPDX-License-Identifier: Apache-2.0 */
#include "training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int labels_read(const session *s, const tarn_dataset_t *data, const int64_t **labels, size_t *n_labels)
{
	size_t n = 0;
	if (tarn_get_dataset_count(data, &n) != OK)
		return fail_last(s->command);
	int64_t *label = calloc(n + 1, sizeof *label);
	if (!label)
		return fail(1, s->command, "out of memory");
	*labels = label;
	*n_labels = n;
	if (tarn_read_labels(s->o->labels, s->o->label_column, data, label) != OK)
		return fail_last(s->command);
	for (size_t i = 0; s->o->class_offset > 0 && i < n; i++)
		label[i] += s->o->class_offset;
	return 0;
}

int training_read(const session *s, const tarn_dataset_t *data, tarn_training_options *t)
{
	const options *o = s->o;
	if ((o->epochs != -1 && o->epochs < 1) || o->epochs > 100000)
		return fail(2, s->command, "--epochs must be at least 1");
	if (o->train_batch != -1 && (o->train_batch < 1 || o->train_batch > 65536))
		return fail(2, s->command, "--train-batch must lie between 1 and 65536");
	if ((o->rate != -1 && !(o->rate > 0)) || (o->holdout != -1 && !(o->holdout > 0 && o->holdout < 1)) ||
	    (o->label_weight != -1 && !(o->label_weight > 0 && o->label_weight <= 1)))
		return fail(2, s->command, "--lr must be positive, --holdout and --label-weight lie between 0 and 1");
	if (o->mixed != -1 && (o->mixed < 0 || o->mixed > 1000000))
		return fail(2, s->command, "--mixed must lie between 0 and 1000000");
	if (o->memory != -1 && o->memory < 1)
		return fail(2, s->command, "--memory must be at least 1 MB");
	if (o->resume && !o->checkpoint)
		return fail(2, s->command, "--resume needs the file: --checkpoint FILE");
	*t = (tarn_training_options){.epochs = o->epochs > 0 ? (int)o->epochs : 0,
				     .batch = o->train_batch > 0 ? (int)o->train_batch : 0,
				     .rate = o->rate > 0 ? o->rate : 0,
				     .holdout = o->holdout > 0 ? o->holdout : 0,
				     .mix = o->mixed > 0    ? (int)o->mixed
					    : o->mixed == 0 ? -1
							    : 0,
				     .label_weight = o->label_weight > 0 ? o->label_weight : 0,
				     .seed = o->seed >= 0 ? (uint64_t)o->seed : 1,
				     .threads = o->nthreads > 0 ? (int)o->nthreads : 0,
				     .memory = o->memory > 0 ? (size_t)o->memory * 1000000 : 0,
				     .checkpoint = o->checkpoint,
				     .resume = o->resume,
				     .fresh = o->fresh};
	return o->labels ? labels_read(s, data, &t->labels, &t->n_labels) : 0;
}

int training_none(const session *s)
{
	const options *o = s->o;
	if (o->epochs != -1 || o->rate != -1 || o->holdout != -1 || o->train_batch != -1 || o->checkpoint || o->resume)
		return fail(2, s->command, "--epochs, --lr, --holdout, --train-batch, --checkpoint and --resume need --qat");
	return 0;
}

static double share(const tarn_training_score *s)
{
	return s->samples ? (double)s->right / (double)s->samples : NAN;
}

void training_text(const tarn_training_report *r)
{
	printf("trained           %d epochs, %d steps, %zu samples, %.0f s on %d threads%s%s\n", r->epochs, r->steps,
	       r->trained_on, r->seconds, r->threads, r->resumed ? ", resumed" : "", r->interrupted ? ", interrupted" : "");
	if (r->mixed)
		printf("                  and %zu mixtures of two of them, which the float model says the outputs of\n",
		       r->mixed);
	printf("memory            %.1f MB held at most, counted; %.1f planned, %.0f allowed\n", (double)r->bytes / 1e6,
	       (double)r->planned / 1e6, (double)r->budget / 1e6);
	if (r->again)
		printf("                  %zu of %zu nodes run twice for each sample to keep to it\n", r->again, r->nodes);
	printf("on %zu samples kept out: loss %.4g -> %.4g", r->held_out, r->before.loss, r->after.loss);
	if (r->before.samples)
		printf(", right %.2f -> %.2f %%", 100 * share(&r->before), 100 * share(&r->after));
	printf(", measured%s\n", r->improved ? "" : "; training found nothing clearly better: the model it began with is kept");
}

static void score_json(json *j, const char *name, const tarn_training_score *s)
{
	json_begin(j, name, '{');
	json_num(j, "loss", s->loss);
	json_num(j, "right", share(s));
	json_int(j, "samples", (long long)s->samples);
	json_end(j, '}');
}

void training_json(json *j, const tarn_training_report *r)
{
	json_begin(j, "training", '{');
	score_json(j, "before", &r->before);
	score_json(j, "after", &r->after);
	json_bool(j, "improved", r->improved);
	json_bool(j, "interrupted", r->interrupted);
	json_bool(j, "resumed", r->resumed);
	json_int(j, "epochs", r->epochs);
	json_int(j, "steps", r->steps);
	json_int(j, "trained_on", (long long)r->trained_on);
	json_int(j, "held_out", (long long)r->held_out);
	json_int(j, "mixed", (long long)r->mixed);
	json_int(j, "parameters", (long long)r->parameters);
	json_int(j, "threads", r->threads);
	json_figure(j, "seconds", r->seconds, "s", "measured", -1);
	json_figure(j, "memory", (double)r->bytes / 1e6, "MB", "measured", -1);
	json_num(j, "memory_planned", (double)r->planned / 1e6);
	json_num(j, "memory_budget", (double)r->budget / 1e6);
	json_int(j, "nodes", (long long)r->nodes);
	json_int(j, "nodes_run_twice", (long long)r->again);
	json_end(j, '}');
}
