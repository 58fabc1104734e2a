/* The embedding cache: what comes back, what does not, and what is left in the folder. */
#include "check.h"
#include "phantom.h"
#include "synthetic_network.h"

#include "predict/volume/segment.h"

#include <pthread.h>
#include <stdlib.h>

#include "portable.h"

enum { COUNT = 1000, FILE_SIZE = 40 + COUNT * 4 };

static char folder[64];

static void path_of(uint64_t key, char path[128])
{
    snprintf(path, 128, "%s/%016llx.emb", folder, (unsigned long long)key);
}

static long size_of(uint64_t key)
{
    char path[128];
    struct stat state;
    path_of(key, path);
    return stat(path, &state) == 0 ? (long)state.st_size : -1;
}

static int count_files(void)
{
    int count = 0;
    DIR *directory = opendir(folder);
    if (!directory) return -1;
    for (struct dirent *e; (e = readdir(directory));)
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(directory);
    return count;
}

static void empty_folder(void)
{
    DIR *directory = opendir(folder);
    if (!directory) return;
    for (struct dirent *e; (e = readdir(directory));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && remove(path) != 0)
            rmdir(path);
    }
    closedir(directory);
}

static void fill(float *values, unsigned seed)
{
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)((double)seed / 4294967296.0 - 0.5);
    }
}

static void check_exact(void)
{
    float values[COUNT], back[COUNT];
    sgm_embedding_store store;
    CHECK_OK(sgm_store_open(folder, 0, &store));
    fill(values, 1);
    values[3] = -0.0f;
    values[4] = 1e-42f; /* denormal */
    CHECK(!store.get(store.user, 5, back, COUNT));
    store.put(store.user, 5, values, COUNT);
    CHECK(store.get(store.user, 5, back, COUNT) && memcmp(values, back, sizeof values) == 0);
    CHECK(size_of(5) == FILE_SIZE);
    CHECK(!store.get(store.user, 6, back, COUNT));
    CHECK(!store.get(store.user, 5, back, COUNT - 1)); /* another model's size */
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(i % 256) / 64;
    store.put(store.user, 7, values, COUNT); /* BF16 numbers take half */
    CHECK(size_of(7) == 40 + COUNT * 2);
    CHECK(store.get(store.user, 7, back, COUNT) && memcmp(values, back, sizeof values) == 0);
    CHECK(count_files() == 2);
    sgm_store_close(&store);
    CHECK(store.get == NULL);
    sgm_store_close(&store);
    empty_folder();
}

static void put_half(const char *suffix, int age, char path[192])
{
    char whole[128];
    path_of(77, whole);
    snprintf(path, 192, "%s%s", whole, suffix);
    FILE *file = fopen(path, "wb");
    CHECK(file && fputs("half", file) >= 0 && fclose(file) == 0);
    CHECK(set_file_time(path, (long long)time(NULL) - age) == 0);
}

/* What was being written an hour ago and more is gone; what else is there is nobody's business. */
static void check_halves(void)
{
    char old[192], fresh[192], others[2][192];
    sgm_embedding_store store;
    put_half(".12-0.tmp", 7200, old);
    put_half(".12-1.tmp", 600, fresh);
    put_half(".12-1.tmp.mine", 7200, others[0]);
    put_half(".mine.tmp", 7200, others[1]);
    CHECK_OK(sgm_store_open(folder, 0, &store));
    CHECK(access(old, F_OK) != 0 && access(fresh, F_OK) == 0);
    CHECK(access(others[0], F_OK) == 0 && access(others[1], F_OK) == 0);
    sgm_store_close(&store);
    empty_folder();
}

static void change_byte(uint64_t key, long at, int length)
{
    char path[128];
    path_of(key, path);
    FILE *file = fopen(path, "r+b");
    CHECK(file != NULL);
    if (!file) return;
    fseek(file, at, SEEK_SET);
    int c = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(c ^ 0x5a, file);
    fclose(file);
    if (length >= 0) CHECK(truncate(path, length) == 0);
}

/* Any byte of an entry changed, or its end cut off: a miss, and writable again. */
static void check_damage(void)
{
    static const long places[] = {0, 9, 13, 17, 25, 26, 33, 40, 41, 2000, FILE_SIZE - 1};
    float values[COUNT], back[COUNT];
    sgm_embedding_store store;
    CHECK_OK(sgm_store_open(folder, 0, &store));
    fill(values, 2);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        store.put(store.user, 9, values, COUNT);
        CHECK(store.get(store.user, 9, back, COUNT));
        change_byte(9, places[i], -1);
        CHECK(!store.get(store.user, 9, back, COUNT));
    }
    for (int length = 0; length < FILE_SIZE; length += 500) {
        store.put(store.user, 9, values, COUNT);
        change_byte(9, FILE_SIZE - 1, length);
        CHECK(!store.get(store.user, 9, back, COUNT));
    }
    char path[128], target[128];
    path_of(9, path);
    path_of(10, target);
    store.put(store.user, 9, values, COUNT);
    CHECK(rename(path, target) == 0); /* an entry under another's name */
    CHECK(!store.get(store.user, 10, back, COUNT));
    if (POSIX_FILES) CHECK(symlink("/dev/zero", path) == 0);
    CHECK(!store.get(store.user, 9, back, COUNT));
    store.put(store.user, 9, values, COUNT); /* takes the link's place, not its target's */
    CHECK(store.get(store.user, 9, back, COUNT) && size_of(9) == FILE_SIZE);
    path_of(11, path);
    CHECK(mkdir(path, 0777) == 0);
    CHECK(!store.get(store.user, 11, back, COUNT));
    store.put(store.user, 11, values, COUNT);
    CHECK(count_files() == 3); /* nothing half-written is left behind */
    sgm_store_close(&store);
    empty_folder();
}

static void set_age(uint64_t key, int seconds)
{
    char path[128];
    path_of(key, path);
    CHECK(set_file_time(path, 1700000000 - seconds) == 0);
}

/* Above the limit, what was used longest ago goes; what is not ours stays. */
static void check_limit(void)
{
    float values[COUNT], back[COUNT];
    sgm_embedding_store store;
    char other[128];
    snprintf(other, sizeof other, "%s/notes.txt", folder);
    FILE *file = fopen(other, "w");
    if (file) fclose(file);
    CHECK_OK(sgm_store_open(folder, 4 * FILE_SIZE, &store));
    for (uint64_t key = 1; key <= 4; key++) {
        fill(values, (unsigned)key);
        store.put(store.user, key, values, COUNT);
        set_age(key, 100 - (int)key);
    }
    CHECK(count_files() == 5);
    CHECK(store.get(store.user, 1, back, COUNT)); /* used: 2 is now the oldest */
    store.put(store.user, 5, values, COUNT);
    CHECK(size_of(1) > 0 && size_of(2) < 0 && size_of(3) > 0 && size_of(5) > 0);
    CHECK(count_files() == 5 && access(other, F_OK) == 0);
    sgm_store_close(&store);
    CHECK_OK(sgm_store_open(folder, 2 * FILE_SIZE, &store)); /* a smaller limit acts at once */
    CHECK(count_files() == 3);
    sgm_store_close(&store);
    CHECK_OK(sgm_store_open(folder, 100, &store)); /* too small for any entry */
    store.put(store.user, 8, values, COUNT);
    CHECK(count_files() == 1);
    sgm_store_close(&store);
    empty_folder();
}

/* A full folder is not listed at every put: room is made for several. */
static void check_room(void)
{
    enum { FILES = 32 };
    float values[COUNT];
    sgm_embedding_store store;
    int before = 0, removals = 0;
    CHECK_OK(sgm_store_open(folder, FILES * FILE_SIZE, &store));
    for (uint64_t key = 1; key <= 2 * FILES; key++) {
        fill(values, (unsigned)key);
        store.put(store.user, key, values, COUNT);
        int now = count_files();
        CHECK(now <= FILES && (now == before + 1 || now == FILES - FILES / 8));
        removals += now <= before;
        before = now;
    }
    CHECK(removals > 0 && removals <= 2 * 8);
    sgm_store_close(&store);
    empty_folder();
}

static void check_refusals(void)
{
    sgm_embedding_store store;
    char path[128];
    CHECK_STATUS(sgm_store_open(NULL, 0, &store), SGM_INVALID_ARGUMENT, "folder");
    snprintf(path, sizeof path, "%s/file", folder);
    FILE *file = fopen(path, "w");
    if (file) fclose(file);
    CHECK_STATUS(sgm_store_open(path, 0, &store), SGM_UNWRITABLE, path);
    snprintf(path, sizeof path, "%s/file/b/c", folder);
    CHECK_STATUS(sgm_store_open(path, 0, &store), SGM_UNWRITABLE, path);
    CHECK(store.get == NULL);
    empty_folder();
}

/* As ~/.cache of a new home: made for its owner alone, like the cache's own folder. */
static void check_folders_above(void)
{
    static const char *const ends[] = {"/a", "/a/b", "/a/b/c"};
    sgm_embedding_store store;
    struct stat info;
    char path[128];
    snprintf(path, sizeof path, "%s/a/b//c/", folder);
    CHECK_OK(sgm_store_open(path, 0, &store));
    sgm_store_close(&store);
    for (int i = 2; i >= 0; i--) {
        snprintf(path, sizeof path, "%s%s", folder, ends[i]);
        CHECK(stat(path, &info) == 0 && S_ISDIR(info.st_mode));
        CHECK(!POSIX_FILES || (info.st_mode & 077) == 0);
        CHECK(rmdir(path) == 0);
    }
}

/* No two slices alike: equal pictures share an entry. */
static double ball(const double mm[3])
{
    return hypot(hypot(mm[0], mm[1]), mm[2]) < 8 ? 200 : 40 + mm[2];
}

/* The second run encodes nothing and finds the same; so does a run without the cache. */
static void check_second_run(void)
{
    const int64_t extent[3] = {30, 30, 20};
    const double spacing[3] = {1, 1, 1};
    const int order[3] = {0, 1, 2};
    static synthetic_network net;
    phantom p;
    sgm_volume_result results[3];
    sgm_seed seed = {{14, 14, 10}, 1};
    sgm_object object = {.seeds = &seed, .seed_count = 1};
    phantom_make(&p, ball, extent, spacing, order, 0);
    for (int i = 0; i < 3; i++) {
        sgm_volume_options options = {.axis = SGM_AXIS_K};
        if (i < 2) CHECK_OK(sgm_store_open(folder, 0, &options.store));
        synthetic_init(&net, 64);
        CHECK_OK(
            sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &results[i]));
        CHECK(results[i].encoded == net.encodes);
        synthetic_clear(&net);
        sgm_store_close(&options.store);
    }
    CHECK(results[0].encoded > 10 && results[0].cached == 0);
    CHECK(results[1].encoded == 0 && results[1].cached == results[0].encoded);
    CHECK(results[2].encoded == results[0].encoded);
    for (int i = 1; i < 3; i++)
        CHECK(memcmp(results[0].objects[0].mask, results[i].objects[0].mask, 30 * 30 * 20) == 0);
    for (int i = 0; i < 3; i++)
        sgm_volume_result_clear(&results[i]);
    phantom_clear(&p);
    empty_folder();
}

/* ---------------------------------------------------------------- what others could do with it */

/* As in predict/look/store.c: an entry of our own making must carry the right sum to be believed.
 */
static uint64_t checksum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t sum = 0x9e3779b97f4a7c15u ^ size, word;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        sum = (sum ^ word) * 0xff51afd7ed558ccdu;
        sum ^= sum >> 32;
    }
    for (; size; size--)
        sum = (sum ^ *bytes++) * 0xff51afd7ed558ccdu;
    return sum ^ sum >> 29;
}

/* Puts `value` at place 5 of an entry, with the sum that belongs to it. */
static void spoil(uint64_t key, float value)
{
    static unsigned char bytes[FILE_SIZE];
    char path[128];
    path_of(key, path);
    FILE *file = fopen(path, "r+b");
    if (!CHECK(file && fread(bytes, 1, sizeof bytes, file) == sizeof bytes)) return;
    memcpy(bytes + 40 + 5 * sizeof value, &value, sizeof value);
    uint64_t sum = checksum(bytes + 40, COUNT * 4);
    memcpy(bytes + 32, &sum, sizeof sum);
    rewind(file);
    CHECK(fwrite(bytes, 1, sizeof bytes, file) == sizeof bytes);
    fclose(file);
}

/* Values that no network gives are not an embedding, whatever the sum says. */
static void check_finite(void)
{
    const float spoilt[] = {NAN, INFINITY, -INFINITY};
    sgm_embedding_store store;
    float values[COUNT], back[COUNT];
    empty_folder();
    CHECK_OK(sgm_store_open(folder, 0, &store));
    fill(values, 3);
    store.put(store.user, 11, values, COUNT);
    spoil(11, 0.25f);
    CHECK(store.get(store.user, 11, back, COUNT) == 1 && back[5] == 0.25f); /* the sum is right */
    for (int n = 0; n < 3; n++) {
        spoil(11, spoilt[n]);
        CHECK(store.get(store.user, 11, back, COUNT) == 0);
        values[7] = spoilt[n];
        store.put(store.user, 12, values, COUNT);
        CHECK(size_of(12) == -1);
    }
    sgm_store_close(&store);
}

/* Embeddings show what was in the images: nobody else may read them. */
static void check_modes(void)
{
    char path[128], entry[160];
    struct stat state;
    sgm_embedding_store store;
    float values[COUNT];
    mode_t mask = umask(0);
    snprintf(path, sizeof path, "%s/made", folder);
    CHECK_OK(sgm_store_open(path, 0, &store));
    CHECK(stat(path, &state) == 0 && (!POSIX_FILES || (state.st_mode & 0777) == 0700));
    fill(values, 4);
    store.put(store.user, 13, values, COUNT);
    snprintf(entry, sizeof entry, "%s/%016x.emb", path, 13u);
    CHECK(stat(entry, &state) == 0 && (!POSIX_FILES || (state.st_mode & 0777) == 0600));
    sgm_store_close(&store);
    umask(mask);
    remove(entry);
    rmdir(path);
}

static void *put_many(void *user)
{
    const sgm_embedding_store *store = user;
    float values[COUNT];
    for (unsigned key = 0; key < 200; key++) {
        fill(values, key);
        store->put(store->user, 5000 + key, values, COUNT);
        store->get(store->user, 5000 + key / 2, values, COUNT);
    }
    return NULL;
}

/* Two volumes on two threads share a store; a thread sanitizer watches the count of its bytes. */
static void check_threads(void)
{
    sgm_embedding_store store;
    pthread_t threads[2];
    empty_folder();
    CHECK_OK(sgm_store_open(folder, 20 * FILE_SIZE, &store));
    for (int n = 0; n < 2; n++)
        CHECK(pthread_create(&threads[n], NULL, put_many, &store) == 0);
    for (int n = 0; n < 2; n++)
        pthread_join(threads[n], NULL);
    CHECK(count_files() > 0 && count_files() <= 20);
    sgm_store_close(&store);
}

/* A device that encodes in batches goes on doing so with a store, fills it, and is served by it. */
static void check_batches(void)
{
    const int64_t extent[3] = {30, 30, 20};
    const double isotropic[3] = {1, 1, 1};
    const int straight[3] = {0, 1, 2};
    phantom p;
    sgm_volume_result results[3];
    sgm_volume_options options = {.axis = SGM_AXIS_K};
    int encodes[3], batches[3];
    empty_folder();
    phantom_make(&p, ball, extent, isotropic, straight, 0);
    sgm_seed seed = {{14.5, 14.5, 9.5}, SGM_FOREGROUND};
    sgm_object object = {.name = "ball", .seeds = &seed, .seed_count = 1};
    for (int n = 0; n < 3; n++) { /* one by one; in batches, to the store; from it */
        static synthetic_network net;
        synthetic_init(&net, 64);
        if (n) synthetic_encode_in_batches(&net, 4);
        if (n == 1) CHECK_OK(sgm_store_open(folder, 0, &options.store));
        CHECK_OK(
            sgm_volume_segment(&net.predictor, 0, &p.volume, &object, 1, &options, &results[n]));
        encodes[n] = net.encodes;
        batches[n] = net.batches;
        synthetic_clear(&net);
    }
    sgm_store_close(&options.store);
    CHECK(batches[0] == 0 && encodes[0] > 8);
    CHECK(batches[1] > 0 && batches[1] < encodes[1] && encodes[1] >= encodes[0]);
    CHECK(results[1].cached == 0 && count_files() == (int)results[1].encoded);
    CHECK(encodes[2] == 0 && batches[2] == 0 && results[2].encoded == 0 && results[2].cached > 8);
    for (int n = 0; n < 3; n++) {
        if (n && results[n].object_count)
            CHECK(memcmp(results[0].objects[0].mask, results[n].objects[0].mask, 30 * 30 * 20) ==
                  0);
    }
    for (int n = 0; n < 3; n++)
        sgm_volume_result_clear(&results[n]);
    phantom_clear(&p);
}

int main(void)
{
    snprintf(folder, sizeof folder, "test_store.%ld", (long)getpid());
    check_exact();
    check_halves();
    check_damage();
    check_limit();
    check_room();
    check_refusals();
    check_folders_above();
    check_second_run();
    CHECK(mkdir(folder, 0700) == 0 || count_files() >= 0);
    check_finite();
    check_modes();
    check_threads();
    check_batches();
    empty_folder();
    CHECK(rmdir(folder) == 0);
    return check_report();
}
