/*
 * Importing a key: its derivation is work for a worker.
 */
#include <stdlib.h>

#include "account/private.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "loop/worker.h"

struct import_job {
    struct worker_job job;
    struct account *account;
    char *file;
    size_t len;
    struct secret password;
    struct keys_import *in;
    char **text_out;
};

static void
import_run(struct worker_job *job)
{
    struct import_job *j = (struct import_job *)job;

    keys_import_parse(slice_make(j->file, j->len), &j->password, &j->in,
                      &job->err);
}

static void
import_done(struct worker_job *job, bool wanted)
{
    struct import_job *j = (struct import_job *)job;
    struct account *a = j->account;
    struct err e;

    if (wanted && !job->err.code) {
        if (!a->keys)
            worker_job_fail(job, &a->error);
        else if (keys_import_add(a->keys, j->in, j->text_out, &e))
            worker_job_fail(job, &e);
        else
            account_share_issuers(a);
    }
    keys_import_free(&j->in);
    secret_clear(&j->password);
    mem_wipe(j->file, j->len);
    free(j->file);
    account_unref(&j->account);
    free(j);
}

struct op *
account_key_import(struct account *a, struct slice file,
                   const struct secret *password, char **text_out,
                   op_done_fn *done, void *arg)
{
    struct import_job *j;

    if (a->error.code || !a->set)
        return op_decided(&a->error, done, arg);
    j = xcalloc(1, sizeof *j);
    j->job.run = import_run;
    j->job.done = import_done;
    j->account = account_ref(a);
    j->file = slice_dup(file);
    j->len = file.n;
    j->text_out = text_out;
    secret_copy(&j->password, password);
    return worker_run(a->set->crypto, &j->job, done, arg);
}
