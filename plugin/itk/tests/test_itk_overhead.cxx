// What the filter costs beside the library's calls, and that nothing is copied. The linker puts the functions
// below between the filter and the library (--wrap), so that one update tells both times: no other program and no
// second run is compared.
#include "test_itk_filter.h"

#include "itkImageFileReader.h"

#include <ctime>
#include <iostream>

using namespace test;

namespace test
{
std::string model, demo, work, program;
}

namespace
{
// Processor seconds of this thread, or of all threads.
double
Seconds(clockid_t clock)
{
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Watch
{
  double thread = 0; // of this thread inside the library
  double all = 0;    // of all threads meanwhile
  const void * seen = nullptr;
  const void * painted = nullptr;
};
Watch watch;

// Counts a call of the library while it lives.
struct Inside
{
  double thread = Seconds(CLOCK_THREAD_CPUTIME_ID);
  double all = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  ~Inside()
  {
    watch.thread += Seconds(CLOCK_THREAD_CPUTIME_ID) - thread;
    watch.all += Seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
  }
};
} // namespace

extern "C" {
sgm_status
__real_sgm_live_volume_create(sgm_model *, const sgm_volume *, const sgm_volume_options *, sgm_live_volume **);
sgm_status
__wrap_sgm_live_volume_create(sgm_model * network,
                              const sgm_volume * volume,
                              const sgm_volume_options * options,
                              sgm_live_volume ** live)
{
  Inside inside;
  watch.seen = volume->data;
  return __real_sgm_live_volume_create(network, volume, options, live);
}

sgm_status
__real_sgm_live_volume_predict(sgm_live_volume *, int64_t, const sgm_object *, const sgm_call *, sgm_live_result *);
sgm_status
__wrap_sgm_live_volume_predict(sgm_live_volume * live,
                               int64_t id,
                               const sgm_object * object,
                               const sgm_call * call,
                               sgm_live_result * result)
{
  Inside inside;
  return __real_sgm_live_volume_predict(live, id, object, call, result);
}

sgm_status
__real_sgm_live_volume_paint(sgm_live_volume *, int64_t, void *, sgm_voxel, int64_t);
sgm_status
__wrap_sgm_live_volume_paint(sgm_live_volume * live, int64_t id, void * labels, sgm_voxel type, int64_t value)
{
  Inside inside;
  watch.painted = labels;
  return __real_sgm_live_volume_paint(live, id, labels, type, value);
}
}

TEST(Overhead, IsBelowTwoPercentAndNothingIsCopied)
{
  auto image = itk::ReadImage<ImageType>(demo + "/brain1/image.nrrd");
  auto network = itk::PromptSegmentationModel::New();
  network->Load(model);
  const double position[3] = { 48, -6.5, -6.5 };
  double least = 1;
  for (int n = 0; n < 5; ++n)
  {
    auto filter = FilterType::New();
    filter->SetInput(image);
    filter->SetModel(network);
    filter->AddForegroundPoint(1, FilterType::PointType(position));
    watch = Watch();
    const double start = Seconds(CLOCK_THREAD_CPUTIME_ID);
    filter->Update();
    const double own = Seconds(CLOCK_THREAD_CPUTIME_ID) - start - watch.thread;
    EXPECT_EQ(watch.seen, image->GetBufferPointer());
    EXPECT_EQ(watch.painted, filter->GetOutput()->GetBufferPointer());
    EXPECT_GT(filter->GetReport(1).encoded, 0u);
    least = std::min(least, own / watch.all);
    std::cout << "filter " << 1e3 * own << " ms beside " << 1e3 * watch.all << " ms of the library" << std::endl;
  }
  std::cout << "overhead " << 100 * least << " %" << std::endl;
  EXPECT_GT(least, 0);
  EXPECT_LT(least, 0.02);
}

int
main(int argc, char * argv[])
{
  ::testing::InitGoogleTest(&argc, argv);
  if (argc < 3)
  {
    std::cerr << "usage: " << argv[0] << " MODEL DEMO" << std::endl;
    return EXIT_FAILURE;
  }
  test::model = argv[1];
  test::demo = argv[2];
  return RUN_ALL_TESTS();
}
