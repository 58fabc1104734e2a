#include "cuda_emulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const int LANES = 32, MOST_WARPS = 32;

/* --------------------------------------------------------------------- lanes meeting each other */

typedef enum warp_op { WARP_SYNC, WARP_SHUFFLE, WARP_LOAD, WARP_LOAD_TRANS, WARP_MMA } warp_op;

/* What the lanes bring to one instruction and take from it. A warp has two, in turns: a lane may
 * bring something to the next instruction before another has taken the result of this one. */
struct meeting {
    warp_op op[LANES];
    uint32_t in[LANES][10], out[LANES][4];
    const void *row[LANES];
    bool computed;
};
static meeting meetings[MOST_WARPS][2];
static unsigned turn[MOST_WARPS * LANES];

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* Half i of a register of two: 0 is the low one. */
static uint32_t half_of(uint32_t pair, int i)
{
    return pair >> 16 * i & 0xFFFF;
}

static float bf16_of(uint32_t half)
{
    return float_of(half << 16);
}

static meeting *arrive(warp_op op)
{
    int thread = emulate_thread();
    meeting *m = &meetings[thread / LANES][turn[thread] % 2];
    m->op[thread % LANES] = op;
    m->computed = false;
    return m;
}

/* After this all lanes have brought what they have; true for the one that computes. */
static bool meet(meeting *m)
{
    int thread = emulate_thread();
    emulate_warp_barrier();
    turn[thread]++;
    if (m->computed) return false;
    m->computed = true;
    for (int lane = 1; lane < LANES; lane++)
        if (m->op[lane] != m->op[0]) emulate_fail("lanes of a warp met different instructions");
    return true;
}

void __syncwarp(unsigned)
{
    meet(arrive(WARP_SYNC));
}

uint32_t emulate_shuffle_xor(unsigned mask, uint32_t bits, int lane_mask)
{
    if (mask != 0xFFFFFFFFu) emulate_fail("a shuffle among fewer lanes than a warp");
    int lane = emulate_thread() % LANES;
    meeting *m = arrive(WARP_SHUFFLE);
    m->in[lane][0] = bits;
    meet(m);
    return m->in[lane ^ lane_mask][0];
}

/* ------------------------------------------------------------------------------------- ldmatrix */

/* Matrix k's eight row addresses come from lanes 8 k to 8 k + 7. Each row goes to four lanes, two
 * neighbouring elements to each; with .trans the matrix is transposed first. */
static void load_matrices(meeting *m, bool transpose)
{
    for (int k = 0; k < 4; k++) {
        uint16_t matrix[8][8];
        for (int r = 0; r < 8; r++) {
            const void *row = m->row[8 * k + r];
            if ((uintptr_t)row % 16) emulate_fail("ldmatrix: a row is not aligned to 16 bytes");
            memcpy(matrix[r], row, 16);
        }
        for (int r = 0; r < 8; r++)
            for (int c = 0; c < 8; c++) {
                uint32_t element = transpose ? matrix[c][r] : matrix[r][c];
                uint32_t *to = &m->out[4 * r + c / 2][k];
                *to = c % 2 ? *to | element << 16 : element;
            }
    }
}

void emulate_ldmatrix_x4(uint32_t to[4], const void *row, bool transpose)
{
    int lane = emulate_thread() % LANES;
    meeting *m = arrive(transpose ? WARP_LOAD_TRANS : WARP_LOAD);
    m->row[lane] = row;
    if (meet(m)) load_matrices(m, transpose);
    memcpy(to, m->out[lane], sizeof m->out[lane]);
}

/* ------------------------------------------------------------------------------------------ mma */

/* PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type":
 *     groupID = laneid >> 2, threadID_in_group = laneid % 4
 *     A  row = groupID for a_i where 0 <= i < 2 or 4 <= i < 6, else groupID + 8
 *        column = threadID_in_group 2 + (i & 1) for i < 4, else that + 8
 *     B  row = threadID_in_group 2 + (i & 1) for b_i where i < 2, else that + 8; column = groupID
 *     C  row = groupID for c_i where i < 2, else groupID + 8
 *        column = threadID_in_group 2 + (i & 1)
 * Products are exact; they are added up in double here, in an order of its own by the hardware. */
static void multiply(meeting *m)
{
    double a[16][16], b[16][8];
    for (int lane = 0; lane < LANES; lane++) {
        int group = lane >> 2, in_group = lane % 4;
        for (int i = 0; i < 8; i++) {
            int row = (0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8;
            int column = in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
            a[row][column] = bf16_of(half_of(m->in[lane][i / 2], i % 2));
        }
        for (int i = 0; i < 4; i++) {
            int row = in_group * 2 + (i & 1) + (i < 2 ? 0 : 8);
            b[row][group] = bf16_of(half_of(m->in[lane][4 + i / 2], i % 2));
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
        int group = lane >> 2, in_group = lane % 4;
        for (int i = 0; i < 4; i++) {
            int row = i < 2 ? group : group + 8, column = in_group * 2 + (i & 1);
            double sum = float_of(m->in[lane][6 + i]);
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[k][column];
            m->out[lane][i] = bits_of((float)sum);
        }
    }
}

void emulate_mma_bf16(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    int lane = emulate_thread() % LANES;
    meeting *m = arrive(WARP_MMA);
    uint32_t *in = m->in[lane];
    memcpy(in, a, 4 * sizeof *a);
    in[4] = b0, in[5] = b1;
    memcpy(in + 6, c, 4 * sizeof *c);
    if (meet(m)) multiply(m);
    memcpy(c, m->out[lane], 4 * sizeof *c);
}

/* ---------------------------------------------------------------------------------------- wgmma */

static char *shared_memory;
static size_t shared_bytes;

/* By threads: between a fence and a wait; copies came that no proxy fence followed. */
static bool in_products[MOST_WARPS * LANES], unfenced[MOST_WARPS * LANES];
static long wgmma_products;

void emulate_wgmma_fence(void)
{
    in_products[emulate_thread()] = true;
}

void emulate_wgmma_wait(void)
{
    in_products[emulate_thread()] = false;
}

void emulate_proxy_fence(void)
{
    unfenced[emulate_thread()] = false;
}

/* `count` bits of a descriptor. */
static uint32_t field(uint64_t descriptor, int first, int count)
{
    return (uint32_t)(descriptor >> first) & ((1u << count) - 1);
}

/* Element (k, n) of B. PTX ISA, "Matrix Descriptor Format": bits 0-13 are the address, 32-45 the
 * distance of eight rows from the next eight, both in 16 bytes; 49-51 the base offset, 62-63 the
 * swizzle. In that of 128 bytes a row is 128 bytes long, and address bits 4-6 are combined by
 * exclusive or with bits 7-9. */
static uint32_t swizzled_element(uint64_t descriptor, bool transposed, int k, int n)
{
    uint32_t row = (uint32_t)(transposed ? k : n), value = (uint32_t)(transposed ? n : k);
    uint32_t at = 16 * field(descriptor, 0, 14) + row / 8 * 16 * field(descriptor, 32, 14) +
                  row % 8 * 128 + 2 * value;
    at ^= (at >> 7 & 7) << 4;
    if (field(descriptor, 62, 2) != 1 || field(descriptor, 49, 3))
        emulate_fail("wgmma: a matrix that is not in the 128-byte swizzle");
    if (at + 2 > shared_bytes) {
        emulate_fail("wgmma: a matrix beyond shared memory");
        return 0;
    }
    uint16_t element;
    memcpy(&element, shared_memory + at, 2);
    return element;
}

void emulate_wgmma_bf16(float (&c)[8][4], const uint32_t a[4], uint64_t b, bool transposed)
{
    int lane = emulate_thread() % LANES, group = lane >> 2, in_group = lane % 4;
    if (!in_products[emulate_thread()]) emulate_fail("wgmma without a fence before it");
    for (int i = 0; i < MOST_WARPS * LANES; i++)
        if (unfenced[i]) emulate_fail("wgmma: copies that it may not see yet");
    if (lane == 0) wgmma_products++;
    for (int tile = 0; tile < 8; tile++) {
        uint32_t of[2];
        for (int i = 0; i < 2; i++) {
            int k = 8 * i + in_group * 2, n = 8 * tile + group;
            of[i] = swizzled_element(b, transposed, k, n) |
                    swizzled_element(b, transposed, k + 1, n) << 16;
        }
        emulate_mma_bf16(c[tile], a, of[0], of[1]);
    }
}

/* SGM_EMULATION_WGMMA=some or none: whether a program may end without such products or with them.
 */
static struct expected_products {
    ~expected_products()
    {
        const char *wanted = getenv("SGM_EMULATION_WGMMA");
        if (!wanted || (strcmp(wanted, "some") == 0) == (wgmma_products > 0)) return;
        printf("%ld products of wgmma, wanted %s\n", wgmma_products, wanted);
        fflush(stdout);
        _exit(1);
    }
} expected_products;

/* -------------------------------------------------------------------------- asynchronous copies */

static const int MOST_COPIES = 256;

/* A thread's copies in the order of their issue; group g's have that number. */
static struct copy_queue {
    struct {
        void *to;
        const void *from;
        int bytes, group;
    } copies[MOST_COPIES];
    int count, group;
} queues[MOST_WARPS * LANES];

static bool copies_late;

static void finish(void *to, const void *from, int bytes)
{
    memset(to, 0, 16);
    if (bytes) memcpy(to, from, (size_t)bytes);
}

static bool in_shared(const void *at)
{
    const char *byte = (const char *)at;
    return byte >= shared_memory && byte + 16 <= shared_memory + shared_bytes;
}

void emulate_cp_async_16(void *to, const void *from, int from_bytes)
{
    copy_queue *queue = &queues[emulate_thread()];
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16)
        emulate_fail("cp.async: an address is not aligned to 16 bytes");
    if (!in_shared(to) || from_bytes < 0 || from_bytes > 16 ||
        (from_bytes && !emulated_is_device(from, (size_t)from_bytes)) ||
        queue->count == MOST_COPIES) {
        emulate_fail("cp.async: a copy beyond its memory");
        return;
    }
    if (!copies_late) {
        finish(to, from, from_bytes);
        return;
    }
    memset(to, 0xFF, 16);
    queue->copies[queue->count++] = {to, from, from_bytes, queue->group};
}

void emulate_cp_async_commit(void)
{
    queues[emulate_thread()].group++;
}

void emulate_cp_async_wait(int groups_left)
{
    copy_queue *queue = &queues[emulate_thread()];
    int left = 0;
    unfenced[emulate_thread()] = true;
    for (int i = 0; i < queue->count; i++) {
        auto copy = queue->copies[i];
        if (copy.group < queue->group - groups_left)
            finish(copy.to, copy.from, copy.bytes);
        else
            queue->copies[left++] = copy;
    }
    queue->count = left;
}

/* -------------------------------------------------------------------------------- shared memory */

char *emulate_shared_memory(void)
{
    return shared_memory;
}

static const int MOST_ALLOWED = 64;
static struct {
    const void *kernel;
    int bytes;
} allowed[MOST_ALLOWED];

cudaError_t emulate_allow_shared(const void *kernel, int bytes)
{
    int i = 0;
    while (i < MOST_ALLOWED - 1 && allowed[i].kernel && allowed[i].kernel != kernel)
        i++;
    allowed[i].kernel = kernel;
    allowed[i].bytes = bytes;
    return bytes <= 227 << 10 ? cudaSuccess : cudaErrorInvalidValue;
}

static void check_allowance(const void *kernel, size_t shared)
{
    for (int i = 0; shared > 48 << 10; i++)
        if (i == MOST_ALLOWED || !allowed[i].kernel) {
            emulate_fail("more than 48 KiB of shared memory that were not asked for");
            return;
        } else if (allowed[i].kernel == kernel && shared <= (size_t)allowed[i].bytes) {
            return;
        }
}

static void start_block(size_t shared)
{
    free(shared_memory);
    shared_bytes = (shared + 15) / 16 * 16;
    shared_memory = (char *)aligned_alloc(1024, (shared_bytes + 1024) / 1024 * 1024);
    memset(shared_memory, 0xFF, shared_bytes);
    for (int i = 0; i < MOST_WARPS * LANES; i++)
        queues[i].count = queues[i].group = 0, unfenced[i] = in_products[i] = false;
}

/* All threads of a block enter before a thread of the next one. */
void emulate_enter(const void *kernel, size_t shared)
{
    static unsigned entered, size;
    if (entered % (size ? size : 1) == 0 || size != blockDim.x * blockDim.y * blockDim.z) {
        size = blockDim.x * blockDim.y * blockDim.z;
        entered = 0;
        copies_late = emulate_thread() == 0; /* ascending order */
        check_allowance(kernel, shared);
        start_block(shared);
    }
    entered++;
}
