import { inflateRawSync } from 'node:zlib';

/** `preload.c`, compiled as it says, and deflated. */
const CODE =
  '7VjNTxNBFJ9uKSwCbiUSMQbaA6SgcWGJGPGAlA+dJk1UMGoCSVmWrW3sB2m3BKKJkIphQ0g4ePFq4r9gepNYEwJ6IByUyIWYGEvwwEUE' +
  'TVhn2hnZblrxoLf9JTtv3877zXtvZvbw3qM+71XGYgEUVtAJDjUAuohcsOu/XQI2NFaByqytDRTHojVfArIO5pWiZ+94Tt+rz5d2EgR0' +
  '5/OYI3g7IF+yRN78rIyWgr8HTbcf8Ur+4I+15Eu6dwx5aJ6ghMmuyWT3GIAX1U9rTqjPHhbzz+pi0AOvV41W7GKIH+LwNPl+g+zzGCWM' +
  'KTFRkoHPJ8dikagvFJVEJRiNgPvBUAjPO3NmZbrY9dDaV+rQ2PgOjZyjC71hPYCntjY1TRvwqKsedaV3/roGk1+d05qtG4BEM5z+waAI' +
  'E85UFbIUlrnnnrl+1q1ueDs+xiumf+J7NS5xDgClXShp7uQ+M96QkpGtV33N2aCahjOL3OwcvgHJN06org+mOUcvmp6/1cDmGWaCKAw4' +
  'szEhwrmhBnYpd20oSViE83V3UMjb5Vk+DkNYhh2r8TLPXDX3spKZrbTC5KLF27Ee+wSnG10OlK4158gO1aEGuxcNtVsDyEvm4EDTvm+o' +
  'tXApjVRtaxgNfj/POR5nvaJ8BtzqvlvdSR6UJuqSmiVRK6z1CWspF45J/QDV9yjm5J5FcXmkHY+0j+c68Q6tZXNB0aJEzgym/XTJ1Bc0' +
  'vHqCF7dtv/UvZB6QEFI4gME0MGHChAkTJkyYMGHCxJH4dqBFsbxLih5aw24SndaKU0Q/RnRS9oEKImt/1805ZByH9Z9+/iQ4rLMwTgGQ' +
  'b/ifQetVIy4S/9d6ei47m3rlkaAYcQptfBvfel64cG5UHhHaEkIz+QQAHw/ElZgijgD+XiTBB8R4APCjk5H4ZDgnlRjgY3JI5MdCCuAV' +
  'eQKNcsDnj4lhOWshhoMSIkeVnMVIPA54KRoOyxHlH+SJz2VX06J0W+n5Utlk2HbWwK8hazCG86dyWHfeFh2fnnMdmWMM94nK+gL1vB6N' +
  'uFWAnm7j/WDy/WC1vID/s/qeAy7vGYMs0uegssXAp30GKqcshfkU7YTPFOv/FOhz6HGF+LYa7i3tv+wY/jfWEAck/o3/Y4YrnD9r7BOR' +
  'd8rvIgTWbmiIFVbBbeK/1eiH8F1Fzl8vC21VC+H7jrg/vwA=';

/** The shared object that is preloaded into the program. */
export const preload = (): Buffer => inflateRawSync(Buffer.from(CODE, 'base64'));
