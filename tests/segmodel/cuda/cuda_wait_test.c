/* Waits for the emulated device let other threads submit; ordinary copies of two threads do not
 * mix; pictures are brought and resized beside the work. */
#include "../check.h"
#include "backend/context.h"
#include "backend/picture.h"
#include "emulation/emulation_control.h"
#include "predict/session/postprocess.h"
#include "predict/session/session_batch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum { SIDE = 64, COUNT = SIDE * SIDE, BYTES = 4 * COUNT, LOW = 16, ROUNDS = 50 };

static sgm_backend *b;
static void *memory; /* BYTES on the device */
static char host[BYTES];

/* ------------------------------------------------------------------------------ waiting threads */

static sem_t submitted;
static pthread_t other;
static int waited, submitted_meanwhile;

static void *submit(void *unused)
{
    (void)unused;
    b->ops->clear(b, memory, 64);
    sem_post(&submitted);
    return NULL;
}

/* Called by a thread that waits: another one submits, or finds the door locked for five seconds. */
static void submit_elsewhere(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    waited = 1;
    pthread_create(&other, NULL, submit, NULL);
    submitted_meanwhile = sem_timedwait(&submitted, &until) == 0;
}

/* `wait` waits for an event after `before` others. */
static void check_wait(const char *what, int before, void (*wait)(void))
{
    waited = submitted_meanwhile = 0;
    sem_init(&submitted, 0, 0);
    emulation_on_wait(submit_elsewhere, before);
    wait();
    emulation_on_wait(NULL, 0);
    check_that(waited && submitted_meanwhile, what, __FILE__, __LINE__);
    if (waited) pthread_join(other, NULL);
    sem_destroy(&submitted);
}

static void upload(void)
{
    CHECK_OK(b->ops->upload(b, memory, host, BYTES));
}

static void download(void)
{
    CHECK_OK(b->ops->download(b, host, memory, BYTES));
}

static void synchronize(void)
{
    CHECK_OK(b->ops->synchronize(b));
}

static void *transfer, *masker;

static void upload_async(void)
{
    CHECK_OK(b->ops->upload_async(b, memory, host, BYTES, &transfer));
}

static void download_end(void)
{
    CHECK_OK(b->ops->download_end(b, transfer, host, BYTES));
}

static void mask_finish(void)
{
    static uint8_t mask[SIDE * SIDE];
    CHECK_OK(b->ops->pictures->mask_finish(b, masker, mask));
}

static void check_transfers(void)
{
    check_wait("an upload that passes through", 0, upload_async);
    b->ops->release_transfer(b, transfer);
    transfer = NULL;
    CHECK_OK(b->ops->download_begin(b, memory, BYTES, &transfer));
    check_wait("the end of a download", 0, download_end);
    b->ops->release_transfer(b, transfer);
    transfer = NULL;
}

/* Where no memory may be pinned copies pass through plain memory: every place in its turn. */
static void check_unpinned(void)
{
    enum { NO_MEMORY = 2 }; /* cudaErrorMemoryAllocation */
    static char back[BYTES];
    for (int failing = 0; failing < 2; failing++) {
        void *up = NULL, *down = NULL;
        for (int round = 0; round < 5; round++) {
            memset(host, 'a' + round + 5 * failing, BYTES);
            if (!up) emulation_fail("cudaHostAlloc", NO_MEMORY, failing, 0);
            CHECK_OK(b->ops->upload_async(b, memory, host, BYTES, &up));
            memset(host, 0, BYTES); /* may be changed at once */
            if (!down) emulation_fail("cudaHostAlloc", NO_MEMORY, 0, 0);
            CHECK_OK(b->ops->download_begin(b, memory, BYTES, &down));
            CHECK_OK(b->ops->download_end(b, down, back, BYTES));
            CHECK(back[0] == 'a' + round + 5 * failing && back[BYTES - 1] == back[0]);
        }
        emulation_fail(NULL, 0, 0, 0);
        b->ops->release_transfer(b, up);
        b->ops->release_transfer(b, down);
    }
}

static void check_mask(const sgm_model_config *config, const sgm_frame *frame)
{
    sgm_upscaler *upscaler = NULL;
    sgm_mask_rule rule;
    CHECK_OK(sgm_upscaler_create(config, frame, &upscaler));
    sgm_upscaler_rule(upscaler, &rule);
    for (int failing = 0; failing < 3; failing++) { /* one of two pinned, then both */
        emulation_fail(failing < 2 ? "cudaHostAlloc" : NULL, 2, failing, 0);
        if (failing) b->ops->pictures->mask_free(b, masker);
        CHECK_OK(b->ops->pictures->mask_create(b, &rule, &masker));
    }
    emulation_fail(NULL, 0, 0, 0);
    CHECK_OK(b->ops->pictures->mask_start(b, masker, (const float *)memory, 0));
    check_wait("a mask", 0, mask_finish);
    b->ops->pictures->mask_free(b, masker);
    sgm_upscaler_destroy(upscaler);
}

/* --------------------------------------------------------------------------------- mixed threads
 */

/* Uploads what nobody else has, and wants it back. */
static void *copy_around(void *seed)
{
    size_t wrong = 0;
    char *mine = malloc(BYTES), *back = malloc(BYTES);
    void *there = b->ops->alloc(b, BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        memset(mine, round + (int)(size_t)seed, BYTES);
        wrong += b->ops->upload(b, there, mine, BYTES) != SGM_OK;
        wrong += b->ops->download(b, back, there, BYTES) != SGM_OK;
        wrong += memcmp(mine, back, BYTES) != 0;
    }
    b->ops->free(b, there);
    free(mine);
    free(back);
    return (void *)wrong;
}

static void threads_do_not_mix(void)
{
    pthread_t threads[2];
    void *wrong = NULL;
    for (size_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, copy_around, (void *)(100 * i));
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(!wrong);
    }
}

/* ------------------------------------------------------------------------------- beside the work
 */

/* Five pictures are staged through two places; what was submitted before stays undone, because
 * nothing of a picture waits for it. */
static void pictures_wait_for_no_work(const sgm_model_config *config, const sgm_frame *frame)
{
    uint8_t *pixels = calloc(1, COUNT);
    sgm_picture_rule rule;
    void *picture = NULL;
    memset(host, 1, BYTES);
    CHECK_OK(sgm_picture_rule_make(config, frame, 1, &rule));
    CHECK_OK(b->ops->pictures->picture_create(b, &rule, 2, &picture));
    CHECK_OK(b->ops->upload(b, memory, host, BYTES));
    CHECK_OK(b->ops->synchronize(b));
    CHECK_OK(b->ops->clear(b, memory, BYTES));
    for (int i = 0; i < 5; i++)
        CHECK_OK(b->ops->pictures->picture_stage(b, picture, i % 2, pixels));
    CHECK(((const char *)memory)[0] == 1);
    CHECK_OK(b->ops->synchronize(b));
    CHECK(((const char *)memory)[0] == 0);
    b->ops->pictures->picture_free(b, picture);
    sgm_picture_rule_clear(&rule);
    free(pixels);
}

int main(void)
{
    sgm_model_config config = {
        .image_size = 4 * LOW, .grid = LOW / 4, .protocol = &sgm_protocol_sam};
    sgm_frame frame;
    CHECK_OK(sgm_frame_make(&config, SIDE, SIDE, &frame));
    for (int eager = 0; eager < 2; eager++) {
        emulation_eager(eager);
        CHECK_OK(sgm_cuda_create(0, &b));
        memory = b->ops->alloc(b, BYTES);
        check_wait("an upload", 0, upload);
        check_wait("a download", 1, download);
        check_wait("all work", 1, synchronize);
        check_transfers();
        check_unpinned();
        check_mask(&config, &frame);
        threads_do_not_mix();
        if (!eager) pictures_wait_for_no_work(&config, &frame);
        b->ops->free(b, memory);
        b->ops->destroy(b);
    }
    CHECK(emulation_memory() == 0 && emulation_pinned() == 0);
    return check_report();
}
