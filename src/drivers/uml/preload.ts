import { inflateRawSync } from 'node:zlib';

/** `preload.c`, compiled as it says, and deflated. */
const CODE =
  '7VhvTFvXFb82tjEk8BxCBmkgIJWopV0cTJPWpqXjpS65nszahLBNIil9+M+wYuzIfqZkixqQYeLWcoWifeikTcs2TcrHqNKYl6oKwVFIU2liRGkp2apo2lJT' +
  '0g51bRNg4+3c9+7znzfT7UO/LVfinnfPu79zfvecc5+598zz7k69TofUVoKeRbkRQh1Mpiz5OjsyQr8NWeS5RrR5u1BWKBGzQ3Em+DtXqYzP7S6UQUbi9uFC' +
  'nJ7hzjPc+d2FskNXKM0MfvhvoteE/vemLvcI4AxfwfNlXaHUZeOocFXXqTOUI4sZOfXsPbXZ1vjN3/6m6ic7Ph57re61huCb28hPT2/Gx5zHKb9Z4a8KlaIL' +
  'bKFvoxwPqp9jyTEyYruZ/uVSZUzY/D1Mv8L0bzH9Tqa/zYIXUx2fFCOCx4f6+nyRSCjcFwx7BDEQDqETgWAQRUVBfHI/OvlKJCD64MEvBOUJ9Lkwfmp+5tTA' +
  'NCqiNC+W+U060FYP/Z5noOcaOuCJjgfoq6XbkiTxPfzRHpzcexb4duP43Vp30ts0EZd03OtnwV7y0IY72Wl2cr/bewFm4ORLli4y4yKX3cm6NE62B2XlgU6w' +
  '6ecanAi5EuW26eUaGIzJ/nF8Wofj983c2FkYcVPVpfZqnbjkis+YuxyLsbnnbfMj7aZ6+m5sBzi0zadKQeDZ2Z8BO86YoonH5O9ucocz4vHp4bbvJKvfBZfr' +
  'kCh3ssJsUtblSljA75ZJ5m+7OMRN1ZnsdXrxE1d8GnzNxf6E41dqe4/zx/jj6Sw/AG2n+IlqkwxtX+MQEsu4qaM689h8LEOJXjWY9l11mnR+6PQx6EqCficJ' +
  'mgywAm68HHguHaBk6fpxwtmU+r2dkr6ceYbnpgy6iYPbL1bTBWbfuxJ2fON+fMkQv80pUww1OD4DxNcejv2Z8eXGH6WWD0EnB8E2v/T5hiTJAbu5CxRis20e' +
  'AnEdnr8iZkumnIGs7jMwpOSL/x4m9yGl/Hdd5A98j4vc5I+6yOc9mPwLk3uYvNeNyXU862xakbMJD/dH3rxTyRmhBiDOfxUre93kmhxU/iW+Lz3S7pC5PcVf' +
  'HAFOKV2O2EUeldNi2QkTIJdklqaTs83DilIlMuP3OKM7ebpphWtAtltU/TCo3UTC5ENMFjkj8MQk4yYfucmnbvJZjsQfR9pnHpJrKCTJIVICQhaZa/D664eo' +
  '10Ky4KfbReZc5Loz+YIE1d84KhkPwqZtxqNrethhscZUBY3cO9yvXIkjZp7ccjsWo1tG1+l3fsgDeOz5EnskPr6qH2pK+WS6M3RxaVgcN/G6vAOuNGKy0JuW' +
  '4+1OHm0yF0zMBP4JBMdvDXtx4liTeZZtGwayTeNkfeljCC2Xsf11xGx7BzvmoqWuRBU3tVU/sbWEVq7bsRD5Cx7d8/7jsN1LFEcWTI41WdzQ1S51yxWKMuvr' +
  'knTvFqnFs2mJ1tdx6Px+q7ofunmyypOV+IYpVg9fgVitkp9H5Py8L6cIIq4TG1yeFZdnlb57Vq4tddHD9XSlKPURaC/9mObEuHwjZz/zI/DPk0X+3qKTWFKU' +
  'Qm86zz81aFANJivWIY0uMrNclfueyNtkm/gN2Dfb7IYa8ZOu8flhq5PMpek+hkHsUyzblSAM2NHZcqYSp9QfEUw6W2zTaflDRyATmbtrkuROwFMeIfqdAGMj' +
  'FNID2cXkCxe5BpWyiskNPHr3DdA/3b5WA2X+IiZ3KGWjShkC4KZ7vMVJKhZqaNCMZbWQjeZp7Ei/asucBn+zqE7eS3IC8OiVN+TgLvTCZ2kSJ4wfUFjzNeyY' +
  'OfPLSUw+wGQDk48vVdHoddFaUeK8owCZje+uNSW/y7+Q60Xhf5PxJ//I0n+a0j9chH6XSn+nQv/bMp2MyzH9amvm7dUsfcW7ksGcf+Av45rnsOPymXOT2HND' +
  '5r90qR5SmUmuZ/lXMAsyGGU8q/TNDFm4t0D0stXlD9G+oXAwNujb5w1ET1gjwisoNhjs8wYi7ag/eMLrGzopRMRoe6zfK7S1DKMWW+sT+w88+ZTdIfR7vD4/' +
  '/FeEHrQH7UF70P5fmnou2Kk5N+xCheeHLzakMJXfZ4cG9UxqZ3j17DfJ3pezcRuTW5iszTu/yb8/DblzZ/77apQ7p9BWo9rXF+qH9YU8VXyZZgy/FmG0yZnn' +
  '62jq+VjbrjJ+9Afq0HPPtTU+6vT1B4RQo63V2mpt2Wvb/7jX129rjdmamQrOnNGBqBgRhX5k/UEoZh0QogPI6j0Vip4aVKQYQdaILyjQAXs6GRSRVfQNQx8J' +
  'ewVRQFbfQJ8/Igz6kDUQCoh9QiQinJLxwmDAA6bDooJSZvdHo8jqCQ8O+kLi1xAPmu8vIeZqXtW6UaUdFebdrMHvYDb0mrpS5fm8OtIVyX993h1Bfp2qsk3j' +
  'T1sXe9gdgl5TZ6qs3YS/qt/H8Ac1dTtZBL+1CH5/3t2GfL+jL5SNm9ynqNKhwav7XJU/NxXHq+1bDK+uL1RWKA9q5us140Ma/H/cUxW5f8lv9FqqMu87kb0X' +
  'qiw+36yRx9naSzT7U73XUu+vSjQ4NQ5+xl/7ncpwxeOv9R/W4M0MYLbk7qfym3YcY7ZUfAfDb2X4jhcL53do8D9k/ls0ehX/yCb1ny9LiuTpCYaP/5f9828=';

/** The shared object that is preloaded into the program. */
export const preload = (): Buffer => inflateRawSync(Buffer.from(CODE, 'base64'));
