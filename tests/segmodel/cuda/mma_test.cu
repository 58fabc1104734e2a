/* mma_test: the wrappers of backend/cuda/cuda_mma.h against plain products, with the fragments as
 * that header describes them and the attention kernel uses them. Factors are small integers, so all
 * results are exact. Runs on a GPU and, emulated, without one. */
#include "backend/cuda/cuda_mma.h"

#include <stdio.h>

enum { SIDE = 16, PITCH = 24, LANES = 32 };

typedef struct mma_case {
    const unsigned short *a, *b, *bt;  /* [16][16]: A, B, B transposed */
    float *from_bt, *from_b, *chained; /* [16][16]: A B twice, (A B) B */
    float *sums, *zeros;               /* per lane */
} mma_case;

/* Both halves of a 16 x 16 accumulator. */
static __device__ void put(float *to, const float c[2][4])
{
    int row = (int)threadIdx.x / 4, pair = (int)threadIdx.x % 4 * 2;
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < 4; i++)
            to[(row + i / 2 * 8) * SIDE + half * 8 + pair + i % 2] = c[half][i];
}

static __device__ void fetch(unsigned short *to, const unsigned short *from)
{
    int lane = (int)threadIdx.x;
    sgm_copy_16(to + lane / 2 * PITCH + lane % 2 * 8, from + lane * 8, true);
}

static __global__ void mma_kernel(mma_case test)
{
    unsigned short *a = (unsigned short *)sgm_shared_memory();
    unsigned short *b = a + SIDE * PITCH, *bt = b + SIDE * PITCH, *zeros = bt + SIDE * PITCH;
    int lane = (int)threadIdx.x;
    fetch(a, test.a);
    fetch(b, test.b);
    fetch(bt, test.bt);
    sgm_copy_16(zeros + lane * 8, test.a, false);
    sgm_copy_commit();
    sgm_copy_wait();
    __syncthreads();

    unsigned fa[4], fb[4], fbt[4], chain[4];
    sgm_ldmatrix_x4(fa, a + lane % 16 * PITCH + lane / 16 * 8);
    sgm_ldmatrix_x4(fbt, bt + (lane / 16 * 8 + lane % 8) * PITCH + lane / 8 % 2 * 8);
    sgm_ldmatrix_x4_trans(fb, b + lane % 16 * PITCH + lane / 16 * 8);
    float x[2][4] = {}, y[2][4] = {}, z[2][4] = {};
    for (int half = 0; half < 2; half++) {
        sgm_mma(x[half], fa, fbt[2 * half], fbt[2 * half + 1]);
        sgm_mma(y[half], fa, fb[2 * half], fb[2 * half + 1]);
    }
    for (int i = 0; i < 4; i++)
        chain[i] = sgm_pack_bf16(x[i / 2][i % 2 * 2], x[i / 2][i % 2 * 2 + 1]);
    for (int half = 0; half < 2; half++)
        sgm_mma(z[half], chain, fb[2 * half], fb[2 * half + 1]);
    put(test.from_bt, x);
    put(test.from_b, y);
    put(test.chained, z);

    float sum = (float)lane;
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 1);
    sum += __shfl_xor_sync(0xFFFFFFFFu, sum, 2);
    test.sums[lane] = sum;
    test.zeros[lane] = (float)zeros[lane * 8 + lane % 8];
}

/* ------------------------------------------------------------------------------------- the host */

static int failures;

static void check(const char *what, int i, float got, float want)
{
    if (got == want) return;
    failures++;
    if (failures < 20) printf("%s, element %d: %g, wanted %g\n", what, i, got, want);
}

static void product(const float *a, const float *b, float *c)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        c[i] = 0;
        for (int k = 0; k < SIDE; k++)
            c[i] += a[i / SIDE * SIDE + k] * b[k * SIDE + i % SIDE];
    }
}

static unsigned short bf16_of(float value)
{
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return (unsigned short)(bits >> 16);
}

/* Six matrices of device memory in one block: factors first. */
static float *device(size_t bytes, const void *from)
{
    void *memory = NULL;
    if (cudaMalloc(&memory, bytes) != cudaSuccess) return NULL;
    if (from) cudaMemcpyAsync(memory, from, bytes, cudaMemcpyHostToDevice, 0);
    return (float *)memory;
}

static void compare(const mma_case *test, const float *a, const float *b)
{
    float want[SIDE * SIDE], chained[SIDE * SIDE], got[5][SIDE * SIDE];
    const float *from[] = {test->from_bt, test->from_b, test->chained, test->sums, test->zeros};
    for (int k = 0; k < 5; k++)
        cudaMemcpyAsync(got[k], from[k], (k < 3 ? SIDE * SIDE : LANES) * sizeof(float),
                        cudaMemcpyDeviceToHost, 0);
    cudaError_t error = cudaStreamSynchronize(0);
    if (error != cudaSuccess) {
        printf("the kernel failed: %s\n", cudaGetErrorString(error));
        failures++;
        return;
    }
    product(a, b, want);
    product(want, b, chained);
    for (int i = 0; i < SIDE * SIDE; i++) {
        check("ldmatrix", i, got[0][i], want[i]);
        check("ldmatrix.trans", i, got[1][i], want[i]);
        check("chained", i, got[2][i], chained[i]);
    }
    for (int i = 0; i < LANES; i++) {
        check("shuffle", i, got[3][i], (float)(i / 4 * 16 + 6));
        check("zeros", i, got[4][i], 0);
    }
}

/* No code for tensor cores: an older GPU, or PTX of an older architecture. */
static bool missing(void)
{
    int count = 0;
    cudaFuncAttributes attributes;
    return cudaGetDeviceCount(&count) != cudaSuccess || !count ||
           cudaFuncGetAttributes(&attributes, mma_kernel) != cudaSuccess ||
           attributes.ptxVersion < 80;
}

int main(void)
{
    float a[SIDE * SIDE], b[SIDE * SIDE];
    unsigned short bits[3][SIDE * SIDE];
    if (missing()) {
        printf("skipped: no GPU of compute capability 8.0 or later\n");
        return 77;
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        a[i] = (float)((i * 7 + i / SIDE * 5) % 4 - 1);
        b[i] = (float)((i * 11 + i / SIDE * 3) % 5 - 2);
    }
    for (int i = 0; i < SIDE * SIDE; i++) {
        bits[0][i] = bf16_of(a[i]);
        bits[1][i] = bf16_of(b[i]);
        bits[2][i % SIDE * SIDE + i / SIDE] = bf16_of(b[i]);
    }
    mma_case test = {};
    const unsigned short **in[] = {&test.a, &test.b, &test.bt};
    float **out[] = {&test.from_bt, &test.from_b, &test.chained, &test.sums, &test.zeros};
    for (int k = 0; k < 3; k++)
        *in[k] = (const unsigned short *)device(sizeof bits[k], bits[k]);
    for (int k = 0; k < 5; k++)
        *out[k] = device(sizeof a, NULL);
    size_t shared = (3 * SIDE * PITCH + LANES * 8) * sizeof(unsigned short);
    SGM_LAUNCH_SHARED(mma_kernel, 1, LANES, shared, (cudaStream_t)0, test);
    compare(&test, a, b);
    printf("%s\n", failures ? "failed" : "fragments are as described");
    return failures != 0;
}
